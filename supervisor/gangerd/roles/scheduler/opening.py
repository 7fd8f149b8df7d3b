"""Partitions that an older version opened lack the structures that came since: the leader adds them.

Scripts work without most of them, but a declared key that is absent answers TRYAGAIN for as long as its slot
migrates, a stream without its group can't be counted, and an outbox without its sentinel hides an effect.
Each partition is asked until it has once been whole; one that nobody has opened yet is left to whoever does.

Crash points: none; opening does no harm to what is there.
"""

from collections.abc import Sequence

from ganger.calls import is_partly_open, open_command, structures_command
from ganger.cluster import Cluster
from ganger.errors import GangerError
from ganger.keys import Partition
from gangerd import log

DEADLINE_S = 0.8
_logger = log.get()


class Opening:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._whole: set[Partition] = set()

    def mend(self, partitions: Sequence[Partition]) -> int:
        """Look at those that are not known to be whole; how many were given what they lacked. What is out of
        reach, or full, is asked the next time."""
        asked = [partition for partition in partitions if partition not in self._whole]
        commands = [structures_command(partition) for partition in asked]
        partly: list[Partition] = []
        for partition, reply in zip(
            asked, self._cluster.run_many(commands, deadline_s=DEADLINE_S), strict=True
        ):
            if isinstance(reply, GangerError):
                continue
            if is_partly_open(reply, partition):
                partly.append(partition)
            elif reply:
                self._whole.add(partition)
        replies = self._cluster.run_many(
            [open_command(partition) for partition in partly], deadline_s=DEADLINE_S
        )
        mended = sum(not isinstance(reply, GangerError) for reply in replies)
        if mended:
            _logger.info(log.PARTITIONS_MENDED, partitions=mended, of=len(partly))
        return mended

    def forget(self) -> None:
        """We are not the leader any more."""
        self._whole.clear()

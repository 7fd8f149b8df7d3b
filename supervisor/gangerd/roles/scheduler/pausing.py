"""What shall be paused is paused everywhere: the leader completes what a command could not reach.

Each partition is asked what it holds back, and only then the control slot what shall be held back; where they
differ the partition is told. It listens only if nothing has changed there since it was asked, so a word that
comes late never undoes a newer pause. Partitions that were opened after a pause are told the same way, and
parked jobs whose type was taken up again find their way back.
"""

from collections.abc import Callable, Iterator
from itertools import chain, starmap

from ganger.calls import open_command
from ganger.cluster import Cluster, Command
from ganger.errors import GangerError
from ganger.keys import Control, Partition
from ganger.operations import pause
from ganger.pausing import corrections
from gangerd import log

DEADLINE_S = 0.8
_logger = log.get()


class Pausing:
    """`command` and `heard` for each partition, then `debts`, then `mend`."""

    def __init__(self, cluster: Cluster, keys: Control) -> None:
        self._cluster = cluster
        self._keys = keys
        self._held: dict[Partition, pause.Held] = {}
        self._paying: set[Partition] = set()

    def command(self, partition: Partition) -> Command:
        return pause.held_command(partition)

    def heard(self, partition: Partition, reply: object, now_ns: int) -> None:
        """Take note of one partition. Raises GangerError: it is asked again in another round."""
        self._held[partition] = pause.parse_held(reply)

    def mend(self) -> int:
        """Tell the partitions that differ from what shall be; how many. Raises GangerError when nobody can
        say what shall be."""
        seen, self._held = self._held, {}
        if not seen:
            return 0
        wishes = pause.wishes(self._cluster, self._keys, deadline_s=DEADLINE_S)
        differing = {
            partition: edits
            for partition, held in seen.items()
            if (edits := corrections(held, partition.queue in wishes.queues, wishes.types))
        }
        unopened = [open_command(partition) for partition in differing if seen[partition].unopened]
        if unopened:
            self._cluster.run_many(unopened, deadline_s=DEADLINE_S)
        commands = [
            pause.change_command(partition, edits, seen[partition].changes)
            for partition, edits in differing.items()
        ]
        told = 0
        for partition, reply in zip(
            differing, self._cluster.run_many(commands, deadline_s=DEADLINE_S), strict=True
        ):
            try:
                told += pause.parse_change(reply, partition).done
            except GangerError:
                continue  # the next round comes
        if told:
            _logger.info(log.PAUSES_MENDED, partitions=told, of=len(differing))
        return told

    def debts(self) -> Iterator[Callable[[], object]] | None:
        """The steps that pay what partitions owe, as they were heard to say, a chunk a step; None when nobody
        does."""
        owing = {
            partition: held.debt
            for partition, held in self._held.items()
            if held.debt and partition not in self._paying
        }
        self._paying |= owing.keys()
        return chain.from_iterable(starmap(self._pay, owing.items())) if owing else None

    def forget(self) -> None:
        """We are not the leader any more."""
        self._held, self._paying = {}, set()

    def _pay(self, partition: Partition, debt: str) -> Iterator[Callable[[], object]]:
        after = [b""]

        def once() -> None:
            command = pause.unpark_command(partition, debt, after[0])
            after[0] = b""  # one that fails ends this try: the partition still says that it owes
            reply = self._cluster.run(command, deadline_s=DEADLINE_S)
            after[0] = pause.parse_unpark(reply, partition).after

        yield once
        while after[0]:
            yield once
        self._paying.discard(partition)

"""Types that no coordinator calls limited any more: the leader takes their words back, and their jobs come
out of their lanes.

A partition with such words is looked at each round, by its own clock: when none is over and nothing is owed,
that is all. Else its lanes are gone through a chunk a step.

Crash points. Between two chunks: the partition says that it owes, and the next leader begins again. A word
that is said anew meanwhile keeps what still lies in its lanes.
"""

from collections.abc import Callable, Iterator
from itertools import chain

from ganger.cluster import Cluster, Command
from ganger.errors import GangerError
from ganger.keys import Partition
from ganger.operations import lanes

DEADLINE_S = 0.8


class Laning:
    """`command` and `heard` for each partition, then `debts`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._marked: list[Partition] = []
        self._paying: set[Partition] = set()

    def command(self, partition: Partition) -> Command:
        return lanes.marked_command(partition)

    def heard(self, partition: Partition, reply: object, now_ns: int) -> None:
        """Take note of one partition. Raises GangerError: it is asked again in another round."""
        if lanes.parse_marked(reply):
            self._marked.append(partition)

    def debts(self) -> Iterator[Callable[[], object]] | None:
        """Begin with all that have words; the steps that go on where one chunk was not enough, or None."""
        begun, self._marked = [one for one in self._marked if one not in self._paying], []
        commands = [lanes.unlane_command(partition) for partition in begun]
        owing = []
        for partition, reply in zip(
            begun, self._cluster.run_many(commands, deadline_s=DEADLINE_S) if begun else [], strict=True
        ):
            try:
                step = lanes.parse_unlane(reply, partition)
            except GangerError:
                continue  # the next round comes
            if step.after:
                owing.append(self._pay(partition, step))
                self._paying.add(partition)
        return chain.from_iterable(owing) if owing else None

    def forget(self) -> None:
        """We are not the leader any more."""
        self._marked, self._paying = [], set()

    def _pay(self, partition: Partition, step: lanes.Unlaned) -> Iterator[Callable[[], object]]:
        def once() -> None:
            nonlocal step
            command = lanes.unlane_command(partition, step.after, step.debt)
            step = lanes.Unlaned(
                0, "", ""
            )  # one that fails ends this try: the partition still says that it owes
            step = lanes.parse_unlane(self._cluster.run(command, deadline_s=DEADLINE_S), partition)

        while step.after:
            yield once
        self._paying.discard(partition)

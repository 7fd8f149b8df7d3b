"""Looks at lanes: which of them have jobs waiting, in the partitions that said that some do.

Asked for by the poll and by a wake-up message; a page of lanes a trip, one pipeline for all partitions.
What is found goes to the warden's thread. Without an answer a partition is asked again when the poll next
says that lanes wait there.
"""

from collections.abc import Callable, Sequence

from ganger.cluster import Cluster
from ganger.errors import GangerError
from ganger.keys import Partition
from ganger.operations import lanes
from ganger.operations.lanes import Lane
from gangerd.roles.loop import Loop

PAGE = 64
MOST_PAGES = 4
"""In one go; the rest is looked at in the next turn of the loop."""
DEADLINE_S = 0.3


class LaneLook:
    """`place(index)`: what an index of the board stands for. `on_found(index, after, lanes, upto)`: see
    Roster.found."""

    def __init__(
        self,
        cluster: Cluster,
        loop: Loop,
        place: Callable[[int], Partition | None],
        on_found: Callable[[int, str, Sequence[Lane], str], None],
    ) -> None:
        self._cluster = cluster
        self._loop = loop
        self._place = place
        self._on_found = on_found
        self._due: dict[int, str] = {}
        """Index -> the lane to go on after, "" for the first."""
        loop.when_asked("lanes", self._look)

    def at(self, index: int) -> None:
        """Some wait there: look soon."""
        if index not in self._due:
            self._due[index] = ""
            self._loop.soon("lanes")

    def _look(self) -> None:
        for _ in range(MOST_PAGES):
            due = [(i, after, place) for i, after in self._due.items() if (place := self._place(i))]
            self._due = {}
            if not due:
                return
            commands = [lanes.look_command(place, after, PAGE) for _, after, place in due]
            try:
                replies = self._cluster.run_many(commands, deadline_s=DEADLINE_S)
            except GangerError:
                return
            for (index, after, place), reply in zip(due, replies, strict=True):
                self._heard(index, after, place, reply)
        if self._due:
            self._loop.soon("lanes")

    def _heard(self, index: int, after: str, place: Partition, reply: object) -> None:
        try:
            found, upto = lanes.parse_look(reply, place)
        except GangerError:
            return
        self._on_found(index, after, found, upto)
        if upto:
            self._due[index] = upto

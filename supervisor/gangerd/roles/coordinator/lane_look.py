"""Looks at lanes: which of them have jobs waiting, in the partitions that said that some do.

Asked for by the poll, and by a wake-up message that names lanes which were empty; a page of lanes a trip, one
pipeline for all partitions. Of very many lanes each poll sees a part.
What is found goes to the warden's thread. Without an answer a partition is asked again when the poll next
says that lanes wait there.
"""

from collections.abc import Callable, Mapping, Sequence

from ganger.cluster import Cluster
from ganger.errors import GangerError
from ganger.keys import Partition
from ganger.operations import lanes
from ganger.operations.lanes import Lane
from gangerd.roles.loop import Loop

PAGE = 64
MOST_PAGES = 4
"""In one go; the rest is looked at in the next turn of the loop."""
PAGES_A_LOOK = 16
"""Where there are more lanes, the next look goes on behind them."""
MOST_NAMED = 64
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
        self._due: dict[int, tuple[str, int]] = {}
        """Index -> the lane to go on after, "" for the first, and how many pages."""
        self._rest: dict[int, str] = {}
        """Index -> the lane after which the next look begins."""
        self._named: dict[tuple[int, str], None] = {}
        loop.when_asked("lanes", self._look)

    def at(self, index: int, ids: Sequence[str] = ()) -> None:
        """Some wait there, or in these lanes: look soon."""
        if ids and len(self._named) + len(ids) <= MOST_NAMED:
            self._named.update(dict.fromkeys((index, id) for id in ids))
        elif index not in self._due:
            self._due[index] = self._rest.pop(index, ""), PAGES_A_LOOK
        self._loop.soon("lanes")

    def _look(self) -> None:
        named, self._named = self._named, {}
        self._ask([(index, _before(id), 1) for index, id in named], lambda index, upto: None)
        for _ in range(MOST_PAGES):
            due, self._due = self._due, {}
            if not due:
                return

            def goes_on(index: int, upto: str, due: Mapping[int, tuple[str, int]] = due) -> None:
                pages = due[index][1] - 1
                if upto and pages:
                    self._due[index] = upto, pages
                elif upto:
                    self._rest[index] = upto

            self._ask([(index, after, PAGE) for index, (after, _) in due.items()], goes_on)
        if self._due:
            self._loop.soon("lanes")

    def _ask(self, looks: Sequence[tuple[int, str, int]], then: Callable[[int, str], None]) -> None:
        """One trip: (index, lane to begin after, how many) each."""
        there = [(*look, place) for look in looks if (place := self._place(look[0]))]
        if not there:
            return
        commands = [lanes.look_command(place, after, limit) for _, after, limit, place in there]
        try:
            replies = self._cluster.run_many(commands, deadline_s=DEADLINE_S)
        except GangerError:
            return
        for (index, after, _, place), reply in zip(there, replies, strict=True):
            try:
                found, upto = lanes.parse_look(reply, place)
            except GangerError:
                continue
            self._on_found(index, after, found, upto)
            then(index, upto)


def _before(id: str) -> str:
    """A lane that comes right before this one, were there one."""
    return f"{max(0, int(id, 16) - 1):016x}"

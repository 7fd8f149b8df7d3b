"""The roster: which lanes of this host's limited queues have jobs waiting, and whose turn it is. Pure.

A lane is known from the moment in which a look at its partition has found it until a worker has seen its last
job, or until a look does not find it any more. Lanes of a queue take turns: who was offered a pass longest
ago is next, one never served first of all. A lane whose own permits are all out is passed over for a while
that grows, the longer the more lanes are: its neighbours are not held up, and servers are not stormed.

limits.py brings what looks have found; warden.py asks who is next.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ganger.operations.lanes import Lane

FIRST_PAUSE_MS = 10.0
EACH_MS = 5.0
"""Between two questions about lanes that are full, all in all."""
MS = 1_000_000


@dataclass(slots=True)
class Waiting:
    """A lane with jobs. `place`: its partition, an index of the board. `turn`: when it was last served."""

    place: int
    lane: Lane
    turn: int = 0
    resume_ns: int = 0
    pause_ms: float = 0.0
    fresh: bool = True
    """A look has found it since it was last served."""


class Roster:
    """All lanes of a host."""

    def __init__(self) -> None:
        self._lanes: dict[int, dict[str, Waiting]] = {}
        self._off: dict[tuple[int, str], Waiting] = {}
        """Those that wait for permits or tokens of their own."""
        self._full = 0
        """How many of them found their permits out."""
        self._turn = 0

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def found(self, place: int, after: str, lanes: Sequence[Lane], upto: str) -> None:
        """A look at a partition found these behind `after`, and none else up to `upto` ("" for the end)."""
        there, seen = self._lanes.setdefault(place, {}), {lane.id for lane in lanes}
        for id in [id for id in there if after < id and (not upto or id <= upto) and id not in seen]:
            self._drop(place, id)
        for lane in lanes:
            waiting = there.setdefault(lane.id, Waiting(place, lane))
            waiting.lane, waiting.fresh = lane, True
        if not there:
            self._lanes.pop(place, None)
        elif place not in self._lanes:
            self._lanes[place] = there

    def drained(self, place: int, lane_id: str) -> None:
        """A worker has seen its last job; if a look has found it meanwhile, there may be another."""
        waiting = self._lanes.get(place, {}).get(lane_id)
        if waiting is not None and not waiting.fresh:
            self._drop(place, lane_id)

    def keep(self, is_ours: Callable[[int, Lane], bool]) -> None:
        """Only such lanes (of a place) are ours to serve."""
        every = [(place, one.lane) for place, there in self._lanes.items() for one in there.values()]
        for place, lane in every:
            if not is_ours(place, lane):
                self._drop(place, lane.id)

    def waiting(self, first: int, count: int) -> int:
        """How many lanes of these partitions have jobs."""
        return sum(len(self._lanes[place]) for place in self._places(first, count))

    def every(self, first: int, count: int) -> Iterator[Waiting]:
        """All lanes of these partitions."""
        for place in self._places(first, count):
            yield from self._lanes[place].values()

    def next(self, first: int, count: int, now_ns: int) -> Iterator[Waiting]:
        """Those of these partitions that may be asked for now, in their turn."""
        ready = [waiting for waiting in self.every(first, count) if now_ns >= waiting.resume_ns]
        yield from sorted(ready, key=lambda waiting: (waiting.turn, waiting.lane.since_ms))

    def served(self, waiting: Waiting) -> None:
        """It was offered a pass."""
        self._turn += 1
        waiting.turn, waiting.fresh = self._turn, False
        self._at_once(waiting)

    def put_off(self, place: int, lane_id: str, now_ns: int, ms: float, *, dry: bool = False) -> None:
        """Nobody came for it, or its rate is used up (`dry`): not again for so long."""
        waiting = self._lanes.get(place, {}).get(lane_id)
        if waiting is not None:
            waiting.resume_ns = now_ns + int(ms * MS)
            if dry:
                self._off[place, lane_id] = waiting

    def put_off_longer(self, waiting: Waiting, now_ns: int, jitter: float, most_ms: float) -> None:
        """Its permits are all out: look again after a pause that grows. It keeps its turn."""
        self._full += not waiting.pause_ms
        self._off[waiting.place, waiting.lane.id] = waiting
        pause_ms = max(waiting.pause_ms, FIRST_PAUSE_MS, EACH_MS * self._full / 2)
        waiting.resume_ns = now_ns + int(pause_ms * jitter * MS)
        waiting.pause_ms = min(2 * pause_ms, max(most_ms, EACH_MS * self._full))

    def freed(self, key: str) -> None:
        """Permits or tokens of this key came back on this host: who was put off for want of them may ask at
        once."""
        for waiting in [waiting for waiting in self._off.values() if waiting.lane.key == key]:
            self._at_once(waiting)

    # ---- inside ------------------------------------------------------------------------------------------

    def _places(self, first: int, count: int) -> Iterable[int]:
        """Those in which lanes have jobs."""
        if count < len(self._lanes):
            return [place for place in range(first, first + count) if place in self._lanes]
        return [place for place in self._lanes if first <= place < first + count]

    def _at_once(self, waiting: Waiting) -> None:
        self._full -= bool(waiting.pause_ms)
        waiting.resume_ns, waiting.pause_ms = 0, 0.0
        self._off.pop((waiting.place, waiting.lane.id), None)

    def _drop(self, place: int, lane_id: str) -> None:
        there = self._lanes[place]
        self._at_once(there.pop(lane_id))
        if not there:
            del self._lanes[place]

"""The roster: which lanes of this host's limited queues have jobs waiting, and whose turn it is. Pure.

A lane is known from the moment in which a look at its partition has found it until a worker has seen its last
job, or until a look does not find it any more. Lanes of a queue take turns: who was offered a pass longest
ago is next, one never served first of all. A lane whose permits are all out is passed over for a while that
grows; its neighbours are not held up.

limits.py brings what looks have found; warden.py asks who is next.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ganger.operations.lanes import Lane

FIRST_PAUSE_MS = 10.0
MS = 1_000_000


@dataclass(slots=True)
class Waiting:
    """A lane with jobs. `place`: its partition, an index of the board. `turn`: when it was last served."""

    place: int
    lane: Lane
    turn: int = 0
    resume_ns: int = 0
    pause_ms: float = FIRST_PAUSE_MS


class Roster:
    """All lanes of a host."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[int, str], Waiting] = {}
        self._turn = 0

    def __len__(self) -> int:
        return len(self._lanes)

    def found(self, place: int, after: str, lanes: Sequence[Lane], upto: str) -> None:
        """A look at a partition found these behind `after`, and none else up to `upto` ("" for the end)."""
        seen = {(place, lane.id) for lane in lanes}
        for key in list(self._lanes):
            if key[0] == place and after < key[1] and (not upto or key[1] <= upto) and key not in seen:
                del self._lanes[key]
        for lane in lanes:
            self._lanes.setdefault((place, lane.id), Waiting(place, lane)).lane = lane

    def drained(self, place: int, lane_id: str) -> None:
        """A worker has seen its last job."""
        self._lanes.pop((place, lane_id), None)

    def keep(self, first: int, count: int, types: frozenset[str] | None) -> None:
        """Of these partitions only lanes of these types are ours to serve; None: all are."""
        for key, waiting in list(self._lanes.items()):
            if first <= key[0] < first + count and types is not None and waiting.lane.type not in types:
                del self._lanes[key]

    def waiting(self, first: int, count: int) -> int:
        """How many lanes of these partitions have jobs."""
        return sum(first <= place < first + count for place, _ in self._lanes)

    def next(self, first: int, count: int, now_ns: int) -> Iterator[Waiting]:
        """Those of these partitions that may be asked for now, in their turn."""
        ready = [
            waiting
            for (place, _), waiting in self._lanes.items()
            if first <= place < first + count and now_ns >= waiting.resume_ns
        ]
        yield from sorted(ready, key=lambda waiting: (waiting.turn, waiting.lane.since_ms))

    def served(self, waiting: Waiting) -> None:
        """It was offered a pass."""
        self._turn += 1
        waiting.turn, waiting.resume_ns, waiting.pause_ms = self._turn, 0, FIRST_PAUSE_MS

    def put_off(self, place: int, lane_id: str, now_ns: int, ms: float) -> None:
        """Nobody came for it: not again for so long."""
        waiting = self._lanes.get((place, lane_id))
        if waiting is not None:
            waiting.resume_ns = now_ns + int(ms * MS)

    def put_off_longer(self, waiting: Waiting, now_ns: int, jitter: float, most_ms: float) -> None:
        """Its permits are all out: look again after a pause that grows. It keeps its turn."""
        waiting.resume_ns = now_ns + int(waiting.pause_ms * jitter * MS)
        waiting.pause_ms = min(2 * waiting.pause_ms, most_ms)

    def freed(self, first: int, count: int, key: str | None = None) -> None:
        """Permits came back on this host, of this key's alone or (None) of all: who was put off in these
        partitions for want of them may ask at once."""
        for (place, _), waiting in self._lanes.items():
            if first <= place < first + count and key in (None, waiting.lane.key):
                waiting.resume_ns, waiting.pause_ms = 0, FIRST_PAUSE_MS

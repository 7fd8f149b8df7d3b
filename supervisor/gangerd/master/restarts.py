"""When may a place be filled again? Backoff, intensity and the host's cap on spawns.

Pure: instants (monotonic ns) come in, instants go out. A death inside a job is the job's affair: its worker
is replaced at once and nothing here counts it, else a few poisonous jobs would idle a whole host. What counts
is a death outside a job (being born, claiming, idling): each doubles the pause of its own place, and many of
them together slow the whole host down, whichever places they hit. One cap on spawns bounds even the rest.
"""

from collections import deque
from dataclasses import dataclass, field

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How a kind of place is refilled: pauses of first_ms * 2^n up to bound_ms; a life of forgiven_after_s
    clears the count."""

    first_ms: int
    bound_ms: int
    forgiven_after_s: float = 10.0


WORKER_PACE = Pace(first_ms=100, bound_ms=30_000)
ROLE_PACE = Pace(first_ms=50, bound_ms=1_000)
"""Never more than a second: leases lapse while the coordinator is away."""
TEMPLATE_PACE = Pace(first_ms=100, bound_ms=10_000)


@dataclass(slots=True)
class _Place:
    deaths: int = 0
    not_before_ns: int = 0
    total: int = 0


@dataclass(slots=True)
class Restarts:
    """The memory of one master about its places; a place is any string (`worker 3`, `coordinator`)."""

    spawns_a_second: int
    intensity: int = 10
    """Deaths outside a job per period that the host takes at the places' own paces; past it, one a second."""
    period_s: float = 10.0
    places: dict[str, _Place] = field(default_factory=dict)
    recent_deaths: deque[int] = field(default_factory=deque)
    recent_spawns: deque[int] = field(default_factory=deque)
    total: int = 0

    def died(self, place: str, pace: Pace, lived_ns: int, now_ns: int) -> None:
        """A death outside a job, after a life (in service) of lived_ns; 0 when it never served."""
        known = self.places.setdefault(place, _Place())
        if lived_ns >= pace.forgiven_after_s * SECOND:
            known.deaths = 0
        pause_ms = min(pace.bound_ms, pace.first_ms << min(known.deaths, 20))
        known.deaths += 1
        known.not_before_ns = now_ns + pause_ms * 1_000_000
        if pace is WORKER_PACE:
            self.recent_deaths.append(now_ns)

    def due_ns(self, place: str, now_ns: int) -> int:
        """The instant from which the place may be filled, its own pause and the host's cap considered."""
        known = self.places.get(place)
        due = known.not_before_ns if known is not None else 0
        if known is not None and known.deaths and self._held_back(now_ns):
            due = max(due, self.recent_deaths[-1] + SECOND)
        return max(due, self._cap_ns(now_ns))

    def pauses(self, place: str, now_ns: int) -> bool:
        """The place's own pause is not over."""
        known = self.places.get(place)
        return known is not None and known.not_before_ns > now_ns

    def spawned(self, place: str, now_ns: int) -> None:
        """A place is being filled; its first filling is no restart."""
        self.recent_spawns.append(now_ns)
        known = self.places.setdefault(place, _Place())
        known.total += 1
        if known.total > 1:
            self.total += 1

    def renewed(self, place: str) -> None:
        """It is to be filled anew, in order: the next filling is no restart."""
        if place in self.places:
            self.places[place].total = 0

    def held_back(self, now_ns: int) -> bool:
        """More deaths outside jobs than the intensity allows: for the log and for status."""
        return self._held_back(now_ns)

    def _held_back(self, now_ns: int) -> bool:
        horizon = now_ns - int(self.period_s * SECOND)
        while self.recent_deaths and self.recent_deaths[0] <= horizon:
            self.recent_deaths.popleft()
        return len(self.recent_deaths) > self.intensity

    def _cap_ns(self, now_ns: int) -> int:
        while self.recent_spawns and self.recent_spawns[0] <= now_ns - SECOND:
            self.recent_spawns.popleft()
        if len(self.recent_spawns) < self.spawns_a_second:
            return 0
        return self.recent_spawns[-self.spawns_a_second] + SECOND

"""Which ticks of a schedule are due, and what becomes of those that passed while nobody was there to see.

PURE. `covered_ms` is the instant up to which all ticks have been dealt with, as the entry's partition
remembers it; `now_ms` is the clock of that partition's node. The scheduler's leader asks each second, and
gives each step to operations/cron.py, which moves `covered` with it: so a leader that dies between two steps
leaves the rest to the next one.
"""

from dataclasses import dataclass

from ganger.cron.expression import Schedule

ON_TIME_MS = 60_000
"""A tick is missed when it is found later than this: a change of leaders takes a few seconds."""
ALL_WINDOW_MS = 24 * 3600 * 1000
"""How far back `all` looks where the entry doesn't say."""
MAX_STEPS = 20
"""Per entry and look. What is left over is due at the next one."""
MAX_COUNTED = 1_000
"""Missed ticks are counted up to here: a minutely entry after a year away is no reason to count for a
minute."""


@dataclass(frozen=True, slots=True)
class Step:
    """Deal with all ticks up to `tick_ms`: `missed` of them fall away, and then, if `fires`, that tick
    becomes a job."""

    tick_ms: int
    fires: bool
    missed: int = 0


def steps(schedule: Schedule, missed: str, window_ms: int | None, covered_ms: int, now_ms: int) -> list[Step]:
    """What is to be done now, in this order. `missed` is skip, once or all.

    - skip: what is found late falls away.
    - once: of all that is due the latest fires, however late, or no later than the window.
    - all: each fires, oldest first, as far back as the window (a day)."""
    if schedule.after(covered_ms) > now_ms:
        return []
    latest_ms = schedule.latest(covered_ms, now_ms)
    assert latest_ms is not None
    late_ms = now_ms - latest_ms
    if missed == "all":
        return _all(schedule, covered_ms, now_ms, latest_ms, window_ms or ALL_WINDOW_MS)
    patience_ms = ON_TIME_MS if missed == "skip" else window_ms
    fires = patience_ms is None or late_ms <= max(patience_ms, ON_TIME_MS)
    return [Step(latest_ms, fires, _count(schedule, covered_ms, latest_ms - 1) + (not fires))]


def _all(schedule: Schedule, covered_ms: int, now_ms: int, latest_ms: int, window_ms: int) -> list[Step]:
    # A tick on the window's edge still counts: `between` is open at its beginning.
    from_ms = max(covered_ms, now_ms - max(window_ms, ON_TIME_MS) - 1)
    fallen = _count(schedule, covered_ms, from_ms) if from_ms > covered_ms else 0
    ticks = schedule.between(from_ms, now_ms, MAX_STEPS)
    if not ticks:
        return [Step(latest_ms, False, fallen)]
    return [Step(tick_ms, True, 0 if place else fallen) for place, tick_ms in enumerate(ticks)]


def _count(schedule: Schedule, after_ms: int, until_ms: int) -> int:
    return len(schedule.between(after_ms, until_ms, MAX_COUNTED))

"""When a run is overdue: one cheap look at a page, judged against the clock.

Pure: the words of a page and instants go in, a verdict comes out. How an overdue run is ended is
ending.py's business, who sends the signals endings.py's. All instants are CLOCK_MONOTONIC nanoseconds, the
clock in which the worker wrote its deadlines."""

from dataclasses import dataclass
from enum import Enum

from gangerd.page import Page
from gangerd.recorder import Word

KNOCK_EVERY_NS = 1_000_000_000
MAX_GAPS = 256


@dataclass(frozen=True, slots=True)
class Look:
    """What a page says of the run under way. run_seq is 0 when nothing runs, a deadline 0 when there is none.

    memory_bytes is the growth of RSS the run is allowed, 0 for any.
    """

    incarnation: str
    run_seq: int
    started_ns: int = 0
    soft_ns: int = 0
    hard_ns: int = 0
    memory_bytes: int = 0


def look(page: Page) -> Look:
    """Read it. On a live page the deadlines may already be the next run's, which are later than now:
    harmless, and what is read from a frozen one is exact."""
    incarnation = page.incarnation
    run_seq, soft_ns, hard_ns = page.overdue_run()
    if not run_seq:
        return Look(incarnation, 0)
    words = page.words
    return Look(
        incarnation,
        run_seq,
        words[Word.RUN_STARTED_NS],
        soft_ns,
        hard_ns,
        words[Word.RUN_MEMORY_BYTES],
    )


class Gaps:
    """The times the master itself was away (stopped, or frozen with its container): a run that was under
    way then gets that time back, since nobody could knock at it."""

    def __init__(self) -> None:
        self._gaps: list[tuple[int, int]] = []

    def moved(self, gap_ns: int, now_ns: int) -> None:
        """The master is back at `now_ns` after `gap_ns` away."""
        self._gaps = [*self._gaps[1 - MAX_GAPS :], (now_ns, gap_ns)]

    def allowance_ns(self, started_ns: int) -> int:
        """How much later the deadlines of a run are that began at `started_ns`."""
        return sum(min(gap, back - started_ns) for back, gap in self._gaps if started_ns < back)


class Due(Enum):
    """What a run is due for."""

    NOTHING = "within its time"
    KNOCK = "past its soft deadline: the worker is told to look"
    END = "past its hard deadline"


def judge(seen: Look, last_knock_ns: int | None, now_ns: int, allowance_ns: int) -> Due:
    """`last_knock_ns` is when this very run was last knocked at, None for never."""
    if not seen.run_seq:
        return Due.NOTHING
    if overdue(seen, now_ns, allowance_ns):
        return Due.END
    if not seen.soft_ns or now_ns < seen.soft_ns + allowance_ns:
        return Due.NOTHING
    if last_knock_ns is not None and now_ns - last_knock_ns < KNOCK_EVERY_NS:
        return Due.NOTHING
    return Due.KNOCK


def overdue(seen: Look, now_ns: int, allowance_ns: int) -> bool:
    """Whether the run is past its hard deadline."""
    return bool(seen.run_seq and seen.hard_ns) and now_ns >= seen.hard_ns + allowance_ns

"""The job that this process is running: for its handler to look at, and to tell others how it gets on.

The worker sets it; one job at a time. What is told goes through the worker's Keeper (keeping.py).

In tests (testing.py) jobs may run in several threads and tasks at once, and one within another: each sees its
own."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ganger.errors import GangerError
from ganger.job import Entry
from ganger.keeping import Keeper
from ganger.label import split


@dataclass(frozen=True, slots=True)
class Current:
    """What a handler may know of its own run."""

    jid: str
    attempt: int
    """1 for the first."""
    type: str
    queue: str
    headers: dict[str, str]
    """What middlewares, or the push itself, sent along."""
    entry: Entry | None = field(default=None, repr=False)
    """The delivery that is being run; None where there is no worker (a test)."""
    keeper: Keeper | None = field(default=None, repr=False)
    """The worker's way to tell."""

    @property
    def batch_id(self) -> str | None:
        """The batch that this job is a member of, or whose callback it is; `Batch.current()` adds to it."""
        return None if self.entry is None else split(self.entry.body)[0].batch_id

    def progress(self, percent: float, message: str = "") -> None:
        """How far the job is, for `ganger job show` and Client.job. At most two a second reach Redis after
        the first few; the last one always does. Never fails the job. Raises BadArguments."""
        if self.entry is not None and self.keeper is not None:
            self.keeper.progress(self.entry, percent, message)

    def checkpoint(self, value: Any) -> None:
        """Keep a value (JSON, 64 KiB) that the next attempt gets should this one not end well; durable when
        this returns. Raises LeaseLost when the job is another worker's by now, BadArguments, NodeDown..."""
        if self.entry is not None and self.keeper is not None:
            self.keeper.checkpoint(self.entry, value)

    @property
    def last_checkpoint(self) -> Any:
        """What this job kept last, in this attempt or in an earlier one; None for nothing."""
        if self.entry is None or self.keeper is None:
            return None
        return self.keeper.last_checkpoint(self.entry)


class NoJob(GangerError, LookupError):
    """current() was called outside a job."""


Run = tuple[str, int, str, str, dict[str, str], Entry | None, Keeper | None]
"""The fields of a Current, which is made when a handler asks: most never do."""
_run: Run | None = None
_rehearsed: ContextVar[Run | None] = ContextVar("rehearsed", default=None)
_rehearsals: list[Run] = []


def current() -> Current:
    """The job under way; also from threads that its handler started. Raises NoJob outside a job."""
    run = _rehearsed.get() or _run or (_rehearsals[-1] if _rehearsals else None)
    if run is None:
        raise NoJob("No job is running here; current() is for the code of a job.")
    return Current(*run)


def enter(
    jid: str,
    attempt: int,
    type: str,
    queue: str,
    headers: dict[str, str],
    entry: Entry | None = None,
    keeper: Keeper | None = None,
) -> None:
    """The worker begins a run."""
    global _run
    _run = (jid, attempt, type, queue, headers, entry, keeper)


def leave() -> None:
    """The worker's run is over."""
    global _run
    _run = None


@contextmanager
def rehearsing(jid: str, attempt: int, type: str, queue: str, headers: dict[str, str]) -> Iterator[None]:
    """A run in a test: current in this thread or task, and in threads started from it that know of no
    other."""
    run = (jid, attempt, type, queue, headers, None, None)
    token = _rehearsed.set(run)
    _rehearsals.append(run)
    try:
        yield
    finally:
        _rehearsals.remove(run)
        _rehearsed.reset(token)

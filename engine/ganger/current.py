"""The job that this process is running: for its handler to look at. The worker sets it; one job at a time."""

from dataclasses import dataclass, field

from ganger.errors import BadOptions, GangerError
from ganger.job import Entry


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

    def progress(self, percent: float, message: str = "") -> None:
        """Not built yet: raises BadOptions."""
        raise BadOptions("progress needs the option track, which is not built yet.")


class NoJob(GangerError, LookupError):
    """current() was called outside a job."""


_run: tuple[str, int, str, str, dict[str, str], Entry | None] | None = None
"""The fields of a Current, which is made when a handler asks: most never do."""


def current() -> Current:
    """The job under way; also from threads that its handler started. Raises NoJob outside a job."""
    if _run is None:
        raise NoJob("No job is running here; current() is for the code of a job.")
    return Current(*_run)


def enter(
    jid: str, attempt: int, type: str, queue: str, headers: dict[str, str], entry: Entry | None = None
) -> None:
    """The worker begins a run."""
    global _run
    _run = (jid, attempt, type, queue, headers, entry)


def leave() -> None:
    """The worker's run is over."""
    global _run
    _run = None

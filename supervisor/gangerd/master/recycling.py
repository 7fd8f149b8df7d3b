"""Which worker has served long enough, by what it has done, kept or lived; and whose turn it is.

Pure: what is known of the workers comes in, a choice comes out. turnover.py asks and acts.

Workers that were born together would be due together, so each has a share of its own of every limit but the
one on memory: from nine tenths to all of it, drawn from its incarnation.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

SPREAD = 0.1


class Reason(StrEnum):
    """Why a worker is replaced; also the last word of the metric."""

    JOBS = "jobs"
    MEMORY = "memory"
    AGE = "age"


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no limit. `memory_bytes` is what ended jobs may leave in a worker."""

    jobs: int | None = None
    memory_bytes: int | None = None
    age_ms: int | None = None

    @property
    def any(self) -> bool:
        return not self.jobs is self.memory_bytes is self.age_ms is None


@dataclass(frozen=True, slots=True)
class Life:
    """One worker in service: runs begun, memory left by ended ones, its age since GO, and for how long the
    run under way has been (0: none is)."""

    incarnation: str
    jobs: int
    left_bytes: int
    age_ns: int
    running_ns: int = 0


def due(life: Life, limits: Limits) -> Reason | None:
    """Whether it is to be replaced, and why: the first reason that holds."""
    if limits.jobs is not None and life.jobs and life.jobs >= _own_share(life, limits.jobs):
        return Reason.JOBS
    if limits.memory_bytes is not None and life.left_bytes > limits.memory_bytes:
        return Reason.MEMORY
    if limits.age_ms is not None and life.age_ns / 1e6 >= _own_share(life, limits.age_ms):
        return Reason.AGE
    return None


def choose(lives: Iterable[Life], limits: Limits) -> tuple[Life, Reason] | None:
    """The one whose turn it is: of those that are due an idle one, else the one whose run is the youngest,
    for it is likely to end first."""
    found = [(life, reason) for life in lives if (reason := due(life, limits)) is not None]
    return min(found, key=lambda pair: pair[0].running_ns, default=None)


def _own_share(life: Life, limit: int) -> float:
    drawn = int(life.incarnation, 16) % 1000 / 1000
    return limit * (1 - SPREAD * drawn)

"""What is known of a worker's death, before anybody says why: facts only, each with its source.

Collected by the master at the reap, or by its successor from the pages of a killed master; judged by
verdict.py, told by report.py. Plain data: no I/O, no clock.
"""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Run:
    """The run that the page showed as under way at the death. `sequence` is the page's number of this run."""

    jid: str
    type: str
    queue: str
    attempt: int
    sequence: int
    ran_ms: int


@dataclass(frozen=True, slots=True)
class Intent:
    """What the master wrote down before it sent SIGKILL.

    Attributes:
        cause: timeout, memory_limit, cancelled or released.
        sequence: the run it was meant for; 0: none was under way; None: whatever it was doing (a shutdown
            that could not look).
    """

    cause: str
    sequence: int | None


@dataclass(frozen=True, slots=True)
class Usage:
    """From wait4: the worker's whole life with the children it waited for, not this job's alone."""

    user_s: float
    system_s: float
    max_rss_bytes: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """One death.

    Attributes:
        worker: its incarnation.
        wait_status: as wait4 gave it; None: nobody could reap it, as its master was gone.
        phase: what the page said it was doing, in a word.
        run: None: it died outside a job.
        garbled: why the page could not be read (then run is None, whatever it ran); empty when it could.
        intent: None: we did not kill it.
        oom_kills: by how much its own cgroup's counter moved; None: it had none.
        kernel_line: what the kernel's log says of this pid; None: nothing, or it can't be read here.
        stack: what it wrote into its crash file; empty is usual after SIGKILL.
        peak_of: whose peak_rss_bytes is: the job's (it was reset before the job), or the worker's.
        notes: other sentences worth keeping, such as what was found out about leftovers.
    """

    worker: str
    slot: int
    pid: int
    generation: int
    host: str
    at_ms: int
    wait_status: int | None
    phase: str = ""
    run: Run | None = None
    garbled: str = ""
    intent: Intent | None = None
    oom_kills: int | None = None
    kernel_line: str | None = None
    stack: str = ""
    usage: Usage | None = None
    peak_rss_bytes: int = 0
    peak_of: Literal["job", "worker"] = "worker"
    lived_ms: int | None = None
    notes: tuple[str, ...] = field(default=())

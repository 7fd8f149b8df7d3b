"""What has become of the jobs of a test mode: in this process, for as long as the mode is on.

standin.py notes it; following.py tells a client of it in the words that it has for jobs in Redis."""

import threading
from dataclasses import dataclass
from typing import Any

from ganger.lifecycle import JobState


@dataclass(slots=True)
class RehearsedEnd:
    """One job. `how` it ended is None until it has; `error` is what its handler raised."""

    type: str
    queue: str
    tracked: bool
    state: JobState
    how: str | None = None
    value: Any = None
    error: BaseException | None = None


class RehearsedEnds:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, RehearsedEnd] = {}

    def waits(self, jid: str, job: RehearsedEnd) -> None:
        """It was pushed."""
        with self._lock:
            self._jobs[jid] = job

    def begins(self, jid: str) -> RehearsedEnd:
        """It runs; the caller notes its `value` there."""
        with self._lock:
            job = self._jobs[jid]
            job.state = JobState.WORKING
            return job

    def ends(self, jid: str, how: str, error: BaseException | None = None) -> None:
        """Its run is over, or it was cancelled. It may have been forgotten since it began."""
        with self._lock:
            job = self._jobs.get(jid)
            if job is not None:
                job.state, job.how, job.error = JobState.DONE, how, error

    def find(self, jid: str) -> RehearsedEnd | None:
        with self._lock:
            return self._jobs.get(jid)

"""Following one job by its jid: where it stands, how it ended, what it returned; and cancelling it.

For Client and the command line. Where a living job is, the structures of its partition say (find.py); how a
tracked one ended is noted there for as long as its type says (track.py).
"""

import time
from abc import ABC, abstractmethod
from typing import Any

import msgspec

from ganger import diversion, inspect
from ganger.clock import monotonic_s
from ganger.cluster import Cluster
from ganger.errors import JobEnded, JobFailed, JobNotFound, NoResult, StillRunning
from ganger.keys import Control, Partition
from ganger.lifecycle import JobState
from ganger.operations import track
from ganger.operations.cancel import Cancel
from ganger.operations.cancel import cancel as cancel_at
from ganger.rehearsed_ends import RehearsedEnd

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.5
SEARCH_S, LONGEST_SEARCH_S = 2.0, 60.0
"""How often a wait for a result makes sure that the job is still there: a search in a long queue is dear."""
ROUNDS = 8
"""Looks for a job that others move between its being found and its being cancelled."""


class JobStatus(msgspec.Struct, frozen=True):
    """A job at one moment. `state`: scheduled, retrying, ready, working, dead or done; `how` it is done:
    succeeded, exhausted, expired, cancelled, skipped, or dead for a dead letter that was deleted."""

    jid: str
    type: str
    queue: str
    state: str
    attempt: int
    """The one under way or next; of a job that is over its last."""
    how: str | None = None
    crashes: int = 0
    tracked: bool = True
    failures: list[dict[str, Any]] = []
    progress: track.Progress | None = None
    checkpoint_bytes: int | None = None
    """None when it has kept no checkpoint."""
    pushed_at_ms: int | None = None
    due_at_ms: int | None = None
    ended_at_ms: int | None = None
    ran_ms: int | None = None
    peak_rss_bytes: int = 0
    """Of a success: the most memory that its process had, 0 = not known."""

    @property
    def ended(self) -> bool:
        """Whether it is over; a dead letter is, until someone sends it back."""
        return self.state in (JobState.DONE, JobState.DEAD)


def status(cluster: Cluster, control: Control, jid: str) -> JobStatus:
    """Raises JobNotFound for a job that is over and is not tracked (any more), BadOptions for no jid."""
    return msgspec.convert(inspect.job(cluster, control, jid), JobStatus)


def cancel(cluster: Cluster, control: Control, jid: str) -> Cancel:
    """CANCELLED: it was waiting, and is gone. ASKED: it was running, or about to; its host ends it within
    moments. Raises JobEnded for one that is over or dead, JobNotFound, BadOptions."""
    missed = 0
    for _ in range(ROUNDS):
        try:
            found = inspect.locate(cluster, control, jid)
        except JobNotFound:
            missed += 1  # or it was on its way from one structure to another while we looked
            if missed < 2:
                continue
            _refuse_ended(cluster, control, jid)
            raise
        if found.state is JobState.DEAD:
            raise JobEnded(f"Job {jid} is a dead letter: `ganger dead delete {jid}` removes it.")
        if found.state is JobState.DONE:
            raise JobEnded(f"Job {jid} has ended already: {found.how}.")
        outcome = cancel_at(cluster, found.partition, jid, stream=found.stream, id=found.id)
        if outcome is not Cancel.MOVED:
            return outcome
    raise JobNotFound(f"Job {jid} was moved by others each time it was found: try again.")


def _refuse_ended(cluster: Cluster, control: Control, jid: str) -> None:
    for place in inspect.places(cluster, control, jid):
        end = track.read(cluster, place, jid).end
        if end is not None:
            raise JobEnded(f"Job {jid} has ended already: {end.how}.")


def result(cluster: Cluster, control: Control, jid: str, wait: float | None = 0.0) -> Any:
    """What a tracked job returned, waiting for its end for `wait` seconds (None: as long as it takes).

    Raises JobFailed when it did not end well, StillRunning when the time is up, NoResult when there is none
    to be had: it isn't tracked, or the result has expired, was too large or no JSON; BadOptions."""
    awaited = Awaited(cluster, control, jid, wait)
    while True:
        over, value = awaited.look()
        if over:
            return value
        time.sleep(awaited.pause_s())


class Awaited:
    """A wait for one result, look by look: who waits sleeps for `pause_s()` between two."""

    def __init__(self, cluster: Cluster, control: Control, jid: str, wait: float | None) -> None:
        self._cluster = cluster
        self._control = control
        self._jid = jid
        self._wait = wait
        self._until_s = None if wait is None else monotonic_s() + wait
        self._places = inspect.places(cluster, control, jid)
        self._pause_s = FIRST_PAUSE_S
        self._search_s = 0.0
        self._search_after_s = SEARCH_S

    def look(self) -> tuple[bool, Any]:
        """(whether it is over, what it returned). Raises as `result` does; StillRunning at the last look."""
        now_s = monotonic_s()
        found = self._end()
        if found is not None:
            return True, _result(self._cluster, *found)
        if now_s >= self._search_s:
            # A job that is not there any more would be waited for in vain. It may have ended meanwhile.
            if not self._alive() and self._end() is None:
                raise NoResult(f"Job {self._jid} is over, and its result is not kept (any more).")
            self._search_s = monotonic_s() + self._search_after_s
            self._search_after_s = min(2 * self._search_after_s, LONGEST_SEARCH_S)
        if self._until_s is not None and now_s >= self._until_s:
            raise StillRunning(f"Job {self._jid} had not ended within {self._wait:g} s.")
        return False, None

    def pause_s(self) -> float:
        """Until the next look; longer from one to the next."""
        pause_s = self._pause_s
        self._pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
        return pause_s if self._until_s is None else max(0.0, min(pause_s, self._until_s - monotonic_s()))

    def _end(self) -> tuple[Partition, str, track.End] | None:
        """Its end, if it has come. That of a dead letter that was sent back is not its end."""
        for place in self._places:
            end = track.read(self._cluster, place, self._jid).end
            if end is not None and not (end.how == "dead" and self._alive()):
                return place, self._jid, end
        return None

    def _alive(self) -> bool:
        """Whether its end is still to come. Raises NoResult for a job that isn't tracked."""
        try:
            found = inspect.job(self._cluster, self._control, self._jid)
        except JobNotFound:
            return False
        if found.get("tracked") is False:
            raise NoResult(
                f"Job {self._jid} isn't tracked, so its result is not kept: declare its type with track=True."
            )
        return not msgspec.convert(found, JobStatus).ended


def _result(cluster: Cluster, place: Partition, jid: str, end: track.End) -> Any:
    if end.how != "succeeded":
        failures = [msgspec.structs.asdict(each) for each in end.state.failures]
        last = f" Its last failure: {failures[-1]['error']}: {failures[-1]['message']}" if failures else ""
        raise JobFailed(f"Job {jid} has no result: {end.how}.{last}", how=end.how, failures=failures)
    if end.why is not None:
        raise NoResult(f"Job {jid} succeeded, but {end.why}.")
    if end.kept is None:
        return None
    data = track.get_result(cluster, place, jid, end.kept)
    if data is None:
        raise NoResult(f"Job {jid} succeeded, but its result has expired.")
    return msgspec.json.decode(data)


# ---- in a test mode (diversion.py)


def _rehearsed_status(found: RehearsedEnd | None, jid: str) -> JobStatus:
    if found is None or (found.how is not None and not found.tracked):
        raise JobNotFound(f"No job {jid} was pushed in this test, or it has ended and isn't tracked.")
    return JobStatus(
        jid, found.type, found.queue, found.state.value, attempt=1, how=found.how, tracked=found.tracked
    )


def _rehearsed_result(found: RehearsedEnd | None, jid: str) -> Any:
    """Without waiting: nothing runs meanwhile."""
    if found is None or not found.tracked:
        raise NoResult(f"No tracked job {jid} was pushed in this test: declare its type with track=True.")
    if found.how is None:
        raise StillRunning(f"Job {jid} has not ended; a recording runs it when the test drains.")
    if found.how != "succeeded":
        why = f": {found.error!r}" if found.error is not None else ""
        raise JobFailed(f"Job {jid} has no result: {found.how}{why}.", how=found.how, failures=[])
    try:
        return msgspec.json.decode(msgspec.json.encode(found.value))
    except (TypeError, ValueError) as error:
        raise NoResult(f"Job {jid} succeeded, but its result is no JSON: {error}.") from None


def _rehearsed_cancel(mode: diversion.Destination, jid: str) -> Cancel:
    if mode.cancel(jid):
        return Cancel.CANCELLED
    found = mode.ends.find(jid)
    if found is None:
        raise JobNotFound(f"No job {jid} was pushed in this test.")
    if found.how is None:
        return Cancel.ASKED
    raise JobEnded(f"Job {jid} has ended already: {found.how}.")


class Follower(ABC):
    """What a client has of this: Client is one."""

    @property
    @abstractmethod
    def cluster(self) -> Cluster: ...

    @property
    @abstractmethod
    def namespace(self) -> str: ...

    def job(self, jid: str) -> JobStatus:
        """Where a job stands, or how it ended if it is tracked. Raises JobNotFound."""
        instead = diversion.current()
        if instead is not None:
            return _rehearsed_status(instead.ends.find(jid), jid)
        return status(self.cluster, Control(self.namespace), jid)

    def result(self, jid: str, wait: float | None = 0.0) -> Any:
        """What a tracked job returned; waits for its end for so many seconds (None: as long as it takes).
        Raises JobFailed, StillRunning, NoResult."""
        instead = diversion.current()
        if instead is not None:
            return _rehearsed_result(instead.ends.find(jid), jid)
        return result(self.cluster, Control(self.namespace), jid, wait)

    def cancel(self, jid: str) -> Cancel:
        """End a job, waiting or running: `cancelled` when it is gone, `asked` when its host is about to end
        it. Raises JobEnded, JobNotFound."""
        instead = diversion.current()
        if instead is not None:
            return _rehearsed_cancel(instead, jid)
        return cancel(self.cluster, Control(self.namespace), jid)

"""What the test modes have in common: they stand in for Redis, and keep what was pushed since they were
entered.

testing.py has the two modes. Unique jobs are unique here too: a lock is held from the push to the end of the
one run."""

import functools
import inspect
import itertools
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from ganger import client, diversion
from ganger import jid as jids
from ganger.actor import Actor
from ganger.errors import BadOptions, NotUnique
from ganger.lifecycle import JobState
from ganger.pushing import Target
from ganger.rehearsal import Loops, PushedJob
from ganger.rehearsed_ends import RehearsedEnd, RehearsedEnds
from ganger.rehearsed_marks import RehearsedMarks
from ganger.unique_push import Lock

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class StandIn(ABC):
    """A context manager and a decorator. Raises AlreadyTesting on entry."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pushed: list[PushedJob] = []
        self._waiting: list[PushedJob] = []
        self._known: set[str] = set()
        self._holders: dict[str, str] = {}
        self.marks = RehearsedMarks()
        self.ends = RehearsedEnds()
        self._loops = Loops()
        self._default: client.Client | None = None

    # ---- on and off

    def __enter__(self) -> Self:
        diversion.divert(self)
        self._default = client.known_default_client()
        with self._lock:
            self._begin()
        return self

    def _begin(self) -> None:
        self._pushed, self._waiting, self._known, self._holders = [], [], set(), {}
        self.marks = RehearsedMarks()
        self.ends = RehearsedEnds()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        diversion.restore()
        client.set_default_client(self._default)  # one made meanwhile may know of no Redis
        self._loops.close()

    def __call__(self, function: F) -> F:
        """As a decorator of a test, async or not."""
        if isinstance(function, type):
            raise TypeError(f"{function.__name__} is a class: decorate its test functions.")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def tested_on_loop(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)

            return cast(F, tested_on_loop)

        @functools.wraps(function)
        def tested(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return cast(F, tested)

    # ---- what a test looks at

    @property
    def pushed(self) -> list[PushedJob]:
        """All jobs pushed so far, in order; also those that have run since."""
        with self._lock:
            return list(self._pushed)

    def of(self, type: "str | Actor[Any, Any]") -> list[PushedJob]:
        """Those of one type, by its name or its job."""
        name = type.name if isinstance(type, Actor) else type
        return [job for job in self.pushed if job.type == name]

    # ---- what the clients call

    def push(
        self, target: Target, bodies: Sequence[bytes], locks: Sequence[Lock] | None, jid: str | None
    ) -> list[str]:
        if jid is not None and jids.queue_digest_of(jids.check(jid)) != jids.digest(target.queue):
            raise BadOptions(f"jid {jid} was not made for queue {target.queue}.")
        fresh: list[PushedJob] = []
        answer: list[str] = []
        refused: NotUnique | None = None
        for body, lock in zip(bodies, locks or itertools.repeat(None), strict=False):
            job = PushedJob.read(target, jid or self.reserve(target.queue), body)
            try:
                answer.append(self._take(job, lock, fresh))
            except NotUnique as error:
                refused = refused or error
        self._arrived(fresh)
        if refused is not None:
            raise refused
        return answer

    def reserve(self, queue: str) -> str:
        return jids.mint(queue, 0)[0]

    def holder(self, lock: Lock) -> str | None:
        return self._holders.get(lock.digest)

    def cancel(self, jid: str) -> bool:
        with self._lock:
            return self._cancel(jid, [])

    def _take(self, job: PushedJob, lock: Lock | None, fresh: list[PushedJob]) -> str:
        """The jid to answer; the job becomes one of `fresh` unless it is known or its lock is held."""
        with self._lock:
            holder = None if lock is None else self._holders.get(lock.digest)
            if job.jid in self._known:
                return job.jid
            if lock is not None and holder is not None:
                if lock.on_conflict == "skip":
                    return holder
                if lock.on_conflict == "raise" or not self._cancel(holder, fresh):
                    raise NotUnique(f"{job.type}: job {holder} holds its lock.", holder=holder)
            if lock is not None:
                self._holders[lock.digest] = job.jid
            self._known.add(job.jid)
            self._pushed.append(job)
            later = job.delay is not None or job.at is not None
            state = JobState.SCHEDULED if later else JobState.READY
            tracked = job.label.track_ms is not None
            self.ends.waits(job.jid, RehearsedEnd(job.type, job.queue, tracked, state))
            fresh.append(job)
            return job.jid

    def _cancel(self, jid: str, fresh: list[PushedJob]) -> bool:
        """Whether the job of this jid waited, in one of these lists, and is taken away."""
        for waiting in (fresh, self._waiting):
            for job in waiting:
                if job.jid == jid:
                    waiting.remove(job)
                    self._free(job)
                    self.ends.ends(jid, "cancelled")
                    return True
        return False

    @contextmanager
    def _running(self, job: PushedJob) -> Iterator[RehearsedEnd]:
        """Its unique lock is freed at its end, however it ends, or now if it asked for that."""
        if job.label.until_start:
            self._unlock(job)
        try:
            yield self.ends.begins(job.jid)
        except BaseException as error:
            self.ends.ends(job.jid, "exhausted", error)
            raise
        else:
            self.ends.ends(job.jid, "succeeded")
        finally:
            self._unlock(job)

    def _unlock(self, job: PushedJob) -> None:
        with self._lock:
            self._free(job)

    def _free(self, job: PushedJob) -> None:
        if job.label.unique is not None and self._holders.get(job.label.unique) == job.jid:
            del self._holders[job.label.unique]

    @abstractmethod
    def _arrived(self, jobs: list[PushedJob]) -> None:
        """These were pushed just now."""

    @abstractmethod
    async def on_loop(self, call: Callable[[], T]) -> T:
        """See diversion.Destination."""

"""Test modes: pushes that run at once, or are kept to be looked at. No Redis, no worker.

    from ganger.testing import inline, recording

    with recording() as jobs:
        sign_up("a@b.c")
        assert jobs.of(send)[0].args == ["a@b.c"]
        jobs.drain()

Both take what every way of pushing would send to Redis, from any thread: arguments have been checked and have
become JSON. An application's tests call; standin.py is what both modes are, rehearsal.py runs a job."""

import contextvars
from collections.abc import Callable
from typing import Any, TypeVar

from ganger.actor import Actor
from ganger.diversion import AlreadyTesting
from ganger.errors import GangerError
from ganger.rehearsal import PushedJob, run, run_on_loop
from ganger.standin import StandIn

__all__ = ["AlreadyTesting", "EndlessDrain", "Inline", "PushedJob", "Recording", "inline", "recording"]

T = TypeVar("T")
MOST = 10_000
"""Jobs that one drain runs."""


class EndlessDrain(GangerError):
    """A drain ran as many jobs as it may, and they have pushed still more."""


def inline() -> "Inline":
    """Within it each push runs its job at once, before it returns; what the handler raises comes out of the
    push. A context manager and a decorator. Raises AlreadyTesting on entry."""
    return Inline()


def recording() -> "Recording":
    """Within it pushes are kept and run nothing until `drain`. A context manager and a decorator. Raises
    AlreadyTesting on entry."""
    return Recording()


_put_off: contextvars.ContextVar[list[PushedJob] | None] = contextvars.ContextVar("put_off", default=None)
"""While the clients' part of an `await` runs on the event loop: what it pushed, to be run after it."""


class Inline(StandIn):
    """See `inline`. Delayed jobs run at once too."""

    def _arrived(self, jobs: list[PushedJob]) -> None:
        waiting = _put_off.get()
        if waiting is not None:
            waiting += jobs
            return
        for job in jobs:
            with self._running(job) as end:
                end.value = run(job, self._loops)

    async def on_loop(self, call: Callable[[], T]) -> T:
        jobs: list[PushedJob] = []
        token = _put_off.set(jobs)
        try:
            answer = call()
        finally:
            _put_off.reset(token)
        for job in jobs:
            with self._running(job) as end:
                end.value = await run_on_loop(job)
        return answer


class Recording(StandIn):
    """See `recording`."""

    @property
    def waiting(self) -> list[PushedJob]:
        """Those that no drain has run yet."""
        with self._lock:
            return list(self._waiting)

    def clear(self) -> None:
        """Forget all that was pushed."""
        with self._lock:
            self._begin()

    def drain(self, type: "str | Actor[Any, Any] | None" = None, *, most: int = MOST) -> int:
        """Run what waits (of one type, if given) and what these jobs push, in the order of the pushes and
        whatever their time; how many ran. What a handler raises comes out, and the jobs after it wait on.
        Raises EndlessDrain after `most` runs."""
        count = 0
        while (job := self._next(type, count, most)) is not None:
            with self._running(job) as end:
                end.value = run(job, self._loops)
            count += 1
        return count

    async def adrain(self, type: "str | Actor[Any, Any] | None" = None, *, most: int = MOST) -> int:
        """The same from a coroutine: async handlers run on its event loop."""
        count = 0
        while (job := self._next(type, count, most)) is not None:
            with self._running(job) as end:
                end.value = await run_on_loop(job)
            count += 1
        return count

    def _next(self, type: "str | Actor[Any, Any] | None", count: int, most: int) -> PushedJob | None:
        name = type.name if isinstance(type, Actor) else type
        with self._lock:
            job = next((one for one in self._waiting if name is None or one.type == name), None)
            if job is not None and count >= most:
                raise EndlessDrain(
                    f"{most} jobs were run, and {len(self._waiting)} wait, {job.type} first: does a handler"
                    " push its own type again? Drain by type, or say `most`."
                )
            if job is not None:
                self._waiting.remove(job)
        return job

    def _arrived(self, jobs: list[PushedJob]) -> None:
        with self._lock:
            self._waiting += jobs

    async def on_loop(self, call: Callable[[], T]) -> T:
        return call()

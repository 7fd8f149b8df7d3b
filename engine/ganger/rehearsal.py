"""A job run in this process, for tests: from its bytes to its handler on the way a worker takes.

testing.py calls. Middlewares are around it; what else a worker has around an attempt (its timeout, its
fences, the policy after a failure) is not: what the attempt raises reaches the test."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import local
from typing import Any, Self

from ganger.actor import Actor, registered
from ganger.current import rehearsing
from ganger.errors import UnknownType
from ganger.job import decode_body
from ganger.label import Label, split
from ganger.middleware import Attempt, around_attempt, around_coroutine, wraps_attempts
from ganger.pushing import Target


@dataclass(frozen=True, slots=True)
class PushedJob:
    """A job as it was pushed: arguments as they are after JSON, options as they came out for this push."""

    jid: str
    type: str
    args: list[Any]
    kwargs: dict[str, Any]
    queue: str
    priority: int
    delay: float | None
    """Seconds; None when it was pushed for now or for an instant."""
    at: float | None
    """Seconds since 1970."""
    expires_at: float | None
    overrides: dict[str, Any]
    """What was said at this push of retry and timeout."""
    headers: dict[str, str]
    label: Label = field(repr=False)
    body: bytes = field(repr=False)

    @classmethod
    def read(cls, target: Target, jid: str, data: bytes) -> Self:
        body, label = decode_body(data), split(data)[0]
        return cls(
            jid=jid,
            type=target.type,
            args=body.args,
            kwargs=body.kwargs,
            queue=target.queue,
            priority=target.priority,
            delay=_seconds(target.delay_ms),
            at=_seconds(target.at_ms),
            expires_at=_seconds(_expires_at_ms(target, body.pushed_at_ms, label)),
            overrides=body.overrides,
            headers=body.headers,
            label=label,
            body=data,
        )


class Loops:
    """Event loops for async handlers where none is running: one a thread, kept until `close`, as a worker's
    lives as long as the worker."""

    def __init__(self) -> None:
        self._mine = local()
        self._all: list[asyncio.Runner] = []

    def run(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """What `call()` comes to. From within a coroutine, whose loop can't run another, in a thread of its
        own: a worker would be another process, so the handler can't need that loop."""

        async def awaited() -> Any:
            return await call()

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._runner().run(awaited(), context=copy_context())
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(copy_context().run, lambda: asyncio.run(awaited())).result()

    def close(self) -> None:
        while self._all:
            runner = self._all.pop()
            if not runner.get_loop().is_running():  # for a job of another thread, which goes on to its end
                runner.close()
        self._mine = local()

    def _runner(self) -> asyncio.Runner:
        runner: asyncio.Runner | None = getattr(self._mine, "runner", None)
        if runner is None:
            # A factory, or the runner would replace the loop that get_event_loop() gives the test.
            self._mine.runner = runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
            self._all.append(runner)
        return runner


def run(job: PushedJob, loops: Loops) -> Any:
    """Run it now; what the handler returned. Raises UnknownType, BadArguments, and whatever handler and
    middlewares raise."""
    actor, attempt = _read(job)
    with rehearsing(job.jid, 1, job.type, job.queue, attempt.headers):
        return copy_context().run(around_attempt, attempt, lambda: _call(actor, attempt, loops.run))


async def run_on_loop(job: PushedJob) -> Any:
    """The same from a coroutine. An async handler runs on its event loop, all else in a thread meanwhile: a
    plain handler, and plain middlewares, which wait for the handler."""
    actor, attempt = _read(job)
    loop = asyncio.get_running_loop()

    def on_loop(call: Callable[[], Awaitable[Any]]) -> Any:
        async def awaited() -> Any:
            return await call()

        return asyncio.run_coroutine_threadsafe(awaited(), loop).result()

    with rehearsing(job.jid, 1, job.type, job.queue, attempt.headers):
        if actor.is_async and not wraps_attempts():
            args, kwargs = actor.bind(attempt.args, attempt.kwargs)
            return await actor.function(*args, **kwargs)
        with ThreadPoolExecutor(1) as thread:
            return await loop.run_in_executor(
                thread,
                copy_context().run,
                lambda: around_attempt(attempt, lambda: _call(actor, attempt, on_loop)),
            )


def _read(job: PushedJob) -> tuple[Actor[Any, Any], Attempt]:
    actor = registered().get(job.type)
    if actor is None:
        raise UnknownType(
            f"No handler of job type {job.type!r} is defined in this process: import the module that defines"
            " it, or use recording(), which runs nothing by itself."
        )
    # Read anew: the handler may change what it gets, and the test looks at what was pushed.
    body = decode_body(job.body)
    return actor, Attempt(job.jid, job.type, job.queue, 1, body.args, body.kwargs, body.headers)


def _call(
    actor: Actor[Any, Any], attempt: Attempt, wait_for: Callable[[Callable[[], Awaitable[Any]]], Any]
) -> Any:
    """The part inside all plain middlewares."""
    args, kwargs = actor.bind(attempt.args, attempt.kwargs)
    if actor.is_async:
        return wait_for(lambda: around_coroutine(attempt, lambda: actor.function(*args, **kwargs)))
    return actor.function(*args, **kwargs)


def _expires_at_ms(target: Target, pushed_at_ms: int, label: Label) -> int | None:
    """As the script would work it out that takes the job in."""
    if label.expires_in_ms is None:
        return None
    due_ms = pushed_at_ms + (target.delay_ms or 0) if target.at_ms is None else target.at_ms
    return due_ms + label.expires_in_ms


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000

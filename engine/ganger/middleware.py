"""Middleware: an application's own code around each push and around each attempt.

    @perform_middleware
    def timed(job, proceed):
        began_s = time.monotonic()
        try:
            return proceed()
        finally:
            observe(job.type, time.monotonic() - began_s)

Whoever is registered first is outermost. The client calls `around_push` and the worker `around_attempt`, and
only where something is registered: the rest pays nothing. What ganger ships of the kind is in propagation.py.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from ganger.arguments import plain
from ganger.errors import BadMiddleware, PushRefused
from ganger.passages import passage
from ganger.push_options import PushOptions, push_options


@dataclass(slots=True)
class Call:
    """The arguments of one job of a push: plain JSON values, to be changed at will."""

    args: list[Any]
    kwargs: dict[str, Any]


@dataclass(slots=True)
class Outgoing:
    """A push under way, of one job or of many: what a push middleware may look at and change."""

    type: str
    calls: tuple[Call, ...]
    """One per job: push() makes one, push_many() as many as it was given. None can be added or left out."""
    options: PushOptions
    """Of the whole push, as the caller gave them; what is None comes from the type. See `change`."""
    headers: dict[str, str]
    """Short texts that travel with every job of the push."""

    def change(self, **options: Any) -> None:
        """Give options of this push other values: `change(queue="slow", delay=60)`. Raises BadOptions."""
        chosen = msgspec.structs.asdict(self.options)
        given = {name: value for name, value in chosen.items() if value is not None}
        self.options = push_options({**given, **options})

    def rows(self) -> list[tuple[Sequence[Any], Mapping[str, Any]]]:
        """Args and kwargs of each call, checked once more. Raises BadArguments."""
        return [
            (
                [plain(value, f"args[{place}]") for place, value in enumerate(call.args)],
                {name: plain(value, name) for name, value in call.kwargs.items()},
            )
            for call in self.calls
        ]


@dataclass(slots=True)
class Attempt:
    """An attempt under way: what a perform middleware sees. Its args and kwargs are those that were pushed,
    before they are made into the handler's types."""

    jid: str
    type: str
    queue: str
    attempt: int
    """1 for the first."""
    args: list[Any]
    kwargs: dict[str, Any]
    headers: dict[str, str]


PushMiddleware = Callable[[Outgoing, Callable[[], list[str]]], object]
PerformMiddleware = Callable[[Attempt, Callable[[], Any]], object]
AsyncPerformMiddleware = Callable[[Attempt, Callable[[], Awaitable[Any]]], Awaitable[object]]
P = TypeVar("P", bound=PushMiddleware)
M = TypeVar("M", bound=PerformMiddleware | AsyncPerformMiddleware)

_push: list[PushMiddleware] = []
_perform: list[PerformMiddleware] = []
_perform_async: list[AsyncPerformMiddleware] = []


def push_middleware(middleware: P) -> P:
    """Register a function `(push, proceed)` around every push of this process. `proceed()` pushes and answers
    the jids; raise PushRefused instead, and nothing is in. Raises BadMiddleware."""
    if _checked(middleware):
        raise BadMiddleware(
            f"{_title(middleware)} is async def; a push middleware is a plain function: it also serves"
            " callers that have no event loop."
        )
    _push.append(middleware)
    return middleware


def perform_middleware(middleware: M) -> M:
    """Register a function `(job, proceed)` around every attempt; `proceed()` runs the handler to its end,
    also where that is async def. An `async def` middleware runs in the event loop, around async def handlers
    only, inside all plain ones. Raises BadMiddleware."""
    chain: list[Any] = _perform_async if _checked(middleware) else _perform
    chain.append(middleware)
    return middleware


def wraps_pushes() -> bool:
    return bool(_push)


def wraps_attempts() -> bool:
    return bool(_perform or _perform_async)


def around_push(push: Outgoing, send: Callable[[], list[str]]) -> list[str]:
    """The jids, whatever the middlewares return. Raises what they and `send` raise; PushRefused when one
    neither proceeded nor raised."""
    end = _End(send)
    _Proceed(_push, 0, push, end)()
    if not end.reached:
        raise PushRefused(
            f"A middleware ended the push of {push.type} without an error and without a push; one that"
            " refuses raises PushRefused, so that its caller hears why."
        )
    jids: list[str] = end.result
    return jids


@passage
def around_attempt(job: Attempt, run: Callable[[], Any]) -> Any:
    """The handler's result, whatever the middlewares return; None when one did not proceed. `run` is called
    inside all of them. Raises what they and `run` raise."""
    return _Proceed(_perform, 0, job, _End(run))()


async def around_coroutine(job: Attempt, run: Callable[[], Awaitable[Any]]) -> Any:
    """The same for the inner part of an async handler's chain, in its event loop."""
    return await _AsyncProceed(_perform_async, 0, job, _End(run))()


class _End:
    """The inner end of a chain, and what came of it."""

    def __init__(self, run: Callable[[], Any]) -> None:
        self.run = run
        self.reached = False
        self.result: Any = None


class _Proceed:
    """What a middleware knows as `proceed`: the rest of the chain. It answers what came of the push or of the
    handler, whatever those between return. It works once: a second run of a handler would be an attempt that
    nobody counts."""

    def __init__(
        self, chain: Sequence[Callable[[Any, Any], Any]], place: int, job: object, end: _End
    ) -> None:
        self._chain = chain
        self._place = place
        self._job = job
        self._end = end
        self._used = False

    @passage
    def __call__(self) -> Any:
        end, further = self._end, self._further()
        if further is not None:
            further(self._job, _Proceed(self._chain, self._place + 1, self._job, end))
        else:
            end.result = end.run()
            end.reached = True
        return end.result

    def _further(self) -> Callable[[Any, Any], Any] | None:
        """The next middleware inwards. Raises BadMiddleware the second time."""
        if self._used:
            raise BadMiddleware(f"{_title(self._chain[self._place - 1])} called proceed() a second time.")
        self._used = True
        return self._chain[self._place] if self._place < len(self._chain) else None


class _AsyncProceed(_Proceed):
    async def __call__(self) -> Any:
        end, further = self._end, self._further()
        if further is not None:
            await further(self._job, _AsyncProceed(self._chain, self._place + 1, self._job, end))
        else:
            end.result = await end.run()
        return end.result


def _checked(middleware: Any) -> bool:
    """Whether it is async def. Raises BadMiddleware for what can't be called with (job, proceed)."""
    if not callable(middleware):
        raise BadMiddleware(f"{middleware!r} is no function; a middleware is one that takes (job, proceed).")
    try:
        inspect.signature(middleware).bind(None, None)
    except TypeError:
        raise BadMiddleware(f"{_title(middleware)} must take two arguments: (job, proceed).") from None
    except ValueError:
        pass  # a callable of C that tells no signature
    return inspect.iscoroutinefunction(middleware) or inspect.iscoroutinefunction(
        getattr(middleware, "__call__", None)  # noqa: B004
    )


def _title(middleware: Any) -> str:
    return f"middleware {getattr(middleware, '__qualname__', None) or repr(middleware)}"

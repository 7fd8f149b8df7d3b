"""An attempt with the application's middlewares around it (ganger/middleware.py). The performer calls, and
only where there are any.

Plain middlewares stand outside the event loop, so that proceed() comes back to them when an async handler
has ended, as it does with a plain one. The arguments are made into the handler's types inside them all:
what is wrong with those is an exception that a middleware sees.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ganger.middleware import Attempt, around_attempt, around_coroutine
from ganger.passages import passage
from gangerd.worker.coroutines import Coroutines
from gangerd.worker.overdue import call_handler


class Inner:
    """What the innermost proceed() does: bind the arguments, call the handler."""

    def __init__(
        self,
        job: Attempt,
        bind: Callable[..., tuple[Sequence[Any], Mapping[str, Any]]],
        handler: Callable[..., Any],
        coroutines: Coroutines | None,
        soft_ns: int,
        timeout_s: float,
    ) -> None:
        """`coroutines` for a handler that is async def."""
        self._job = job
        self._bind = bind
        self._handler = handler
        self._coroutines = coroutines
        self._soft_ns = soft_ns
        self._timeout_s = timeout_s

    @passage
    def __call__(self) -> Any:
        args, kwargs = self._bind(self._job.args, self._job.kwargs)
        if self._coroutines is None:
            return self._handler(*args, **kwargs)
        return self._coroutines.run(
            lambda: around_coroutine(self._job, lambda: self._handler(*args, **kwargs)),
            self._soft_ns,
            self._timeout_s,
        )


def call_wrapped(job: Attempt, inner: Inner) -> Any:
    """The handler's result. Raises what it or a middleware raises."""
    return call_handler(around_attempt, (job, inner), {})

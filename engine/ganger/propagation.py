"""Context that travels with jobs: what stands in a contextvar at the push stands there in the attempt.

    request_id: ContextVar[str] = ContextVar("request_id")
    propagate(request_id, "request_id")

The value rides in a header. A push made inside a job finds the contextvar set, so that the job it makes
inherits the value. One middleware of each kind (middleware.py) does the work.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar, overload

from ganger.errors import BadMiddleware
from ganger.middleware import Attempt, Outgoing, perform_middleware, push_middleware
from ganger.passages import passage

T = TypeVar("T")


@overload
def propagate(variable: ContextVar[str], header: str) -> None: ...
@overload
def propagate(
    variable: ContextVar[T], header: str, *, dump: Callable[[T], str], load: Callable[[str], T]
) -> None: ...
def propagate(
    variable: ContextVar[Any],
    header: str,
    *,
    dump: Callable[[Any], str] = str,
    load: Callable[[str], Any] = str,
) -> None:
    """Carry this contextvar from a push to its attempts, in the header of this name. Where it is not set (a
    default does not count), nothing travels; a header that the push was given by name wins. `dump` and `load`
    make a text of the value and back. Raises BadMiddleware."""
    if not isinstance(variable, ContextVar) or not isinstance(header, str) or not header:
        raise BadMiddleware("propagate takes a ContextVar and the name of a header.")

    def put(push: Outgoing, proceed: Callable[[], list[str]]) -> list[str]:
        value = variable.get(None)
        if value is not None:
            push.headers.setdefault(header, dump(value))
        return proceed()

    @passage
    def take(job: Attempt, proceed: Callable[[], Any]) -> Any:
        text = job.headers.get(header)
        if text is None:
            return proceed()
        before = variable.set(load(text))
        try:
            return proceed()
        finally:
            variable.reset(before)

    push_middleware(put)
    perform_middleware(take)

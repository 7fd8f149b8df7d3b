"""Actors: functions that can be pushed as jobs.

`@job` checks the function and its options when the module is imported, so that a mistake is found there and
not in a worker at night. The worker finds the function by its type in `registered()`; the host announces
`manifest()`.
"""

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, overload

import msgspec

from ganger import options as known
from ganger.arguments import Signature, check_handler
from ganger.async_client import AsyncClient, default_async_client
from ganger.client import Client, default_client, split_call
from ganger.cron.entry import CronEntry, of_job
from ganger.errors import BadOptions
from ganger.keys import check_type
from ganger.options import Options
from ganger.passages import passage
from ganger.push_options import PushOptions, push_options
from ganger.retry import Policy
from ganger.rows import Row, Rows
from ganger.sealing import quiet, seals
from ganger.unique import use_function

P = ParamSpec("P")
R = TypeVar("R")

_registry: dict[str, "Actor[Any, Any]"] = {}


class Actor(Generic[P, R]):
    """A function with a job type's name and options. Calling it just calls the function."""

    def __init__(self, function: Callable[P, R], name: str, options: Options, signature: Signature) -> None:
        self.function = function
        self.name = name
        self.defaults = options
        self.is_async = inspect.iscoroutinefunction(function)
        self.policy = Policy.from_manifest(options.entry())
        self.signature = signature
        self.crons: tuple[CronEntry, ...] = ()
        self.__wrapped__ = function
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__

    @passage
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<job {self.name} on queue {self.defaults.queue}>"

    def push(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Push one; its jid. Raises BadArguments, JobTooLarge, OutcomeUnknown..., as Client.push does."""
        return Push(self, PushOptions()).push(*args, **kwargs)

    def push_many(self, calls: Iterable[Sequence[Any] | Mapping[str, Any]]) -> list[str]:
        """Push many in one trip: a tuple of args, or a dict of kwargs, per job."""
        return Push(self, PushOptions()).push_many(calls)

    def reserve(self, *args: Any, **kwargs: Any) -> str:
        """A jid for one push to come, by options(jid=...); see Client.reserve."""
        return Push(self, PushOptions()).reserve(*args, **kwargs)

    async def apush(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """`push` for coroutines; see AsyncClient."""
        return await Push(self, PushOptions()).apush(*args, **kwargs)

    async def apush_many(self, calls: Iterable[Sequence[Any] | Mapping[str, Any]]) -> list[str]:
        """`push_many` for coroutines."""
        return await Push(self, PushOptions()).apush_many(calls)

    async def areserve(self, *args: Any, **kwargs: Any) -> str:
        """`reserve` for coroutines."""
        return await Push(self, PushOptions()).areserve(*args, **kwargs)

    def options(self, **options: Any) -> "Push[P, R]":
        """This job with options for one push: delay, at, priority, queue, retry, expires_in, timeout, track,
        jid..."""
        return Push(self, push_options(options))

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """The arguments of a job's body, checked and made into the annotated types. Raises BadArguments."""
        return self.signature.for_run(args, kwargs)


class Push(Generic[P, R]):
    """An actor together with options for a push."""

    def __init__(self, actor: Actor[P, R], chosen: PushOptions) -> None:
        self._actor = actor
        self._chosen = chosen

    def push(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Push one; its jid."""
        return self.push_with(None, *args, **kwargs)

    def push_with(self, client: Client | None, *args: Any, **kwargs: Any) -> str:
        """The same through a client of one's own."""
        actor = self._actor
        with quiet(actor.name, actor.defaults):
            call = actor.signature.for_push(args, kwargs)
        return (client or default_client()).send(actor.name, actor.defaults, self._chosen, [call])[0]

    def push_many(
        self, calls: Iterable[Sequence[Any] | Mapping[str, Any]], *, client: Client | None = None
    ) -> list[str]:
        """Push many in one trip."""
        actor = self._actor
        check = actor.signature.for_push
        rows: Collection[Row] = Rows(lambda call: check(*split_call(call)), calls)
        if seals(actor.defaults):
            with quiet(actor.name, actor.defaults):
                rows = list(rows)
        return (client or default_client()).send(actor.name, actor.defaults, self._chosen, rows)

    def reserve(self, *args: Any, **kwargs: Any) -> str:
        """A jid for one push to come with these options; arguments matter to a unique type alone."""
        actor, chosen = self._actor, self._chosen
        with quiet(actor.name, actor.defaults):
            call = actor.signature.for_push(args, kwargs) if args or kwargs else ((), {})
        return default_client().reserve(actor.name, *call, queue=chosen.queue, unique_for=chosen.unique_for)

    async def apush(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """`push` for coroutines."""
        return await self.apush_with(None, *args, **kwargs)

    async def apush_with(self, client: AsyncClient | None, *args: Any, **kwargs: Any) -> str:
        """The same through a client of one's own."""
        return await (client or default_async_client()).run(
            lambda blocking: self.push_with(blocking, *args, **kwargs)
        )

    async def apush_many(
        self, calls: Iterable[Sequence[Any] | Mapping[str, Any]], *, client: AsyncClient | None = None
    ) -> list[str]:
        """`push_many` for coroutines."""
        return await (client or default_async_client()).run(
            lambda blocking: self.push_many(calls, client=blocking)
        )

    async def areserve(self, *args: Any, **kwargs: Any) -> str:
        """`reserve` for coroutines."""
        return await default_async_client().run(lambda _: self.reserve(*args, **kwargs))


@overload
def job(function: Callable[P, R], /) -> Actor[P, R]: ...
@overload
def job(**options: Any) -> Callable[[Callable[P, R]], Actor[P, R]]: ...
def job(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    cron: Any = None,
    tz: str | None = None,
    **options: Any,
) -> Any:
    """Make a function a job. Options: queue, priority, retry, backoff, retry_on, discard_on, timeout, grace,
    expires_in, dead, crash_limit, memory, track, unique_for, unique_until, unique_key, on_conflict, encrypt,
    cron, tz; `name` defaults to module.function.

    Raises BadHandler, BadOptions, BadName."""
    if function is not None:
        return _define(function, name, {}, None, None)
    known.make(options)  # so that a bad option is reported at its own line, not at the function's
    return lambda function: _define(function, name, options, cron, tz)


def registered() -> dict[str, Actor[Any, Any]]:
    """Every job type that this process has defined."""
    return dict(_registry)


def manifest() -> dict[str, Any]:
    """What a host announces of its app, JSON-able: {"types": {name: options}}."""
    return {"types": {name: actor.defaults.entry() for name, actor in sorted(_registry.items())}}


def _define(
    function: Any, name: str | None, given: dict[str, Any], cron: Any, tz: str | None
) -> Actor[Any, Any]:
    check_handler(function)
    type = check_type(_default_name(function) if name is None else name)
    earlier = _registry.get(type)
    if earlier is not None and (earlier.__module__, earlier.__qualname__) != (
        function.__module__,
        function.__qualname__,
    ):
        raise BadOptions(
            f"job type {type!r} is defined twice: by {earlier.__module__}.{earlier.__qualname__} and by"
            f" {function.__module__}.{function.__qualname__}; give one of them another name."
        )
    signature = Signature(function)
    options = msgspec.structs.replace(known.make(given), params=signature.names)
    _check_unique_key(type, options, signature)
    if callable(given.get("unique_key")):
        use_function(type, given["unique_key"])
    actor: Actor[Any, Any] = Actor(function, type, options, signature)
    actor.crons = of_job(cron, tz, type, options, signature)
    _registry[type] = actor
    known.define(type, actor.defaults)
    return actor


def _check_unique_key(type: str, options: Options, signature: Signature) -> None:
    for name in options.unique_key or ():
        if name != known.BY_FUNCTION and not signature.takes(name):
            raise BadOptions(f"job type {type!r}: unique_key names {name!r}, which is no argument of its.")


def _default_name(function: Any) -> str:
    """module.function. A script run as __main__ is named after its file, as a worker will import it."""
    module = function.__module__
    if module == "__main__":
        main = sys.modules["__main__"]
        spec = getattr(main, "__spec__", None)
        file = getattr(main, "__file__", None)
        module = spec.name if spec is not None else Path(file).stem if file else module
    return f"{module}.{function.__qualname__.replace('<locals>.', '')}"

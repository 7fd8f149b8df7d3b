"""The client for coroutines: what Client does, awaited.

Each call is a call of a Client in one of a few threads, so there is one way of pushing, with one set of
rules, and the event loop never blocks. Works under any number of event loops, one after the other or at once.

A task that is cancelled while it pushes does not know whether the job is in: either the push had not begun
and never will, or it goes on to its end unheard. `reserve` a jid first where that matters: pushing it again
adds nothing twice."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from ganger import diversion
from ganger.client import Client, default_client
from ganger.config import EngineConfig
from ganger.following import Awaited, JobStatus
from ganger.keys import Control
from ganger.operations.cancel import Cancel
from ganger.threads import Threads

T = TypeVar("T")
THREADS = 8
"""Calls that are under way at once; more wait for their turn."""


class AsyncClient:
    """`AsyncClient()` shares the default client, which finds its settings itself, with Actor.push. With a
    `config` it has a client of its own; with `client` it uses that one."""

    def __init__(
        self, config: EngineConfig | None = None, *, client: Client | None = None, threads: int = THREADS
    ) -> None:
        self._own = None if config is None else Client(config)
        self._client = client or self._own
        self._threads = Threads(threads)

    async def run(self, call: Callable[[Client], T]) -> T:
        """`call` with the blocking client, in a thread: for what has no method here."""
        return await self._threads.run(lambda: call(self._client or default_client()))

    async def push(
        self,
        type: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        jid: str | None = None,
        **options: Any,
    ) -> str:
        """See Client.push."""
        return await self.run(lambda client: client.push(type, args, kwargs, jid=jid, **options))

    async def push_many(
        self, type: str, calls: Iterable[Sequence[Any] | Mapping[str, Any]], **options: Any
    ) -> list[str]:
        """See Client.push_many."""
        return await self.run(lambda client: client.push_many(type, calls, **options))

    async def reserve(
        self,
        type: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> str:
        """See Client.reserve."""
        return await self.run(lambda client: client.reserve(type, args, kwargs, **options))

    async def holder(
        self,
        type: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> str | None:
        """See Client.holder."""
        return await self.run(lambda client: client.holder(type, args, kwargs, **options))

    async def job(self, jid: str) -> JobStatus:
        """See Client.job."""
        return await self.run(lambda client: client.job(jid))

    async def result(self, jid: str, wait: float | None = 0.0) -> Any:
        """See Client.result; who waits here keeps no thread from the others."""
        if diversion.current() is not None:
            return await self.run(lambda client: client.result(jid))
        import asyncio

        awaited = await self.run(lambda client: Awaited(client.cluster, Control(client.namespace), jid, wait))
        while True:
            over, value = await self._threads.run(awaited.look)
            if over:
                return value
            await asyncio.sleep(awaited.pause_s())

    async def cancel(self, jid: str) -> Cancel:
        """See Client.cancel."""
        return await self.run(lambda client: client.cancel(jid))

    async def close(self) -> None:
        """Wait for the pushes under way, then close the connections that are its own; a later push opens new
        ones."""
        await self._threads.close()
        if self._own is not None:
            self._own.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


_default = AsyncClient()


def default_async_client() -> AsyncClient:
    """The client behind Actor.apush."""
    return _default

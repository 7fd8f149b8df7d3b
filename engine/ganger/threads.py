"""Blocking calls from coroutines, in a few threads: no event loop waits for a name, a connection or a reply.

async_client.py calls. Safe for several event loops and for forking servers: threads don't survive a fork, so
the child gets others. In a test mode there is nothing to wait for and no thread is used.

asyncio is imported by what runs under it only: it would be an eighth of `import ganger`."""

import contextvars
import os
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ganger import diversion

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")


class Threads:
    """At most `most` of them; the first call starts the first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._forget()
        _living.add(self)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    async def run(self, call: Callable[[], T]) -> T:
        """The outcome of `call()`, which sees this task's context variables. When the task is cancelled, a
        call that no thread has begun is dropped, and one that has begun goes on to its end."""
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        instead = diversion.current()
        if instead is not None:
            return await instead.on_loop(call)
        context = contextvars.copy_context()
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._most, thread_name_prefix="ganger-client")
            future = self._pool.submit(context.run, call)
        return await asyncio.wrap_future(future)

    async def close(self) -> None:
        """Wait until all calls have come to their ends; a later call starts threads anew."""
        import asyncio

        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown)


_living: "weakref.WeakSet[Threads]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for threads in list(_living):
        threads._forget()


os.register_at_fork(after_in_child=_after_fork_in_child)

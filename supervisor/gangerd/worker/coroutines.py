"""Async handlers: run on one event loop that lives as long as the worker, under their soft timeout.

The timeout is the loop's own cancellation: an exception from a signal would be swallowed by whatever callback
is running. The performer calls.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any

from ganger.errors import JobTimeout

_NS = 1_000_000_000


class Coroutines:
    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def run(self, call: Callable[[], Awaitable[Any]], soft_ns: int, timeout_s: float) -> Any:
        """What `call()` comes to. JobTimeout at `soft_ns` on the monotonic clock; a TimeoutError of the
        handler's own is an exception like any other."""
        if self._runner is None:
            self._runner = asyncio.Runner()

        async def limited() -> Any:
            late = JobTimeout(f"the job ran longer than its {timeout_s:g} s")
            try:
                async with asyncio.timeout((soft_ns - time.monotonic_ns()) / _NS) as limit:
                    result = await call()
            except TimeoutError as error:
                if limit.expired():
                    raise late from error
                raise
            if limit.expired():  # it has swallowed its cancellation
                raise late
            return result

        # The contextvars of this moment; the runner's own are of the first job.
        return self._runner.run(limited(), context=copy_context())

    def close(self) -> None:
        """End the loop, where the process goes on without it."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

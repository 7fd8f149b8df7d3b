"""Where pushes go instead of Redis, while a test says so (standin.py).

One switch for the whole process, for an application pushes from any of its threads. The clients ask it at
each push, after arguments and options have been checked and the job has been encoded: the test gets what
would have been sent."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from ganger.config import EngineConfig, RedisSettings
from ganger.errors import GangerError, NotConfigured
from ganger.pushing import Target
from ganger.rehearsed_ends import RehearsedEnds
from ganger.rehearsed_marks import RehearsedMarks
from ganger.unique_push import Lock

T = TypeVar("T")
NOWHERE = "client-made-in-a-test-without-redis.invalid"


class Destination(Protocol):
    """What takes the pushes."""

    marks: RehearsedMarks
    """Those of once()."""
    ends: RehearsedEnds
    """Of the jobs pushed there."""

    def push(
        self, target: Target, bodies: Sequence[bytes], locks: Sequence[Lock] | None, jid: str | None
    ) -> list[str]:
        """The jids. `locks`: one for each, where jobs are to be unique."""

    def reserve(self, queue: str) -> str:
        """A jid for a push to come."""

    def holder(self, lock: Lock) -> str | None:
        """Who holds this lock."""

    def cancel(self, jid: str) -> bool:
        """Whether the job waited, and is gone."""

    async def on_loop(self, call: Callable[[], T]) -> T:
        """`call` pushes, on the event loop: it must not be kept waiting meanwhile."""


class AlreadyTesting(GangerError):
    """A test mode was entered while another one is on: they don't nest."""


_lock = threading.Lock()
_now: Destination | None = None


def current() -> Destination | None:
    """Where pushes go; None is Redis."""
    return _now


def divert(to: Destination) -> None:
    """From now on pushes go there. Raises AlreadyTesting."""
    global _now
    with _lock:
        if _now is not None:
            raise AlreadyTesting(
                "A mode of ganger.testing is on already, and they don't nest: leave that one first"
                " (its `with` block, its decorator, the fixture)."
            )
        _now = to


def restore() -> None:
    """From now on pushes go to Redis."""
    global _now
    with _lock:
        _now = None


def discover() -> EngineConfig:
    """EngineConfig.discover; a test that needs no Redis gets settings that lead nowhere. Raises
    NotConfigured, BadSettings."""
    try:
        return EngineConfig.discover()
    except NotConfigured:
        if _now is None:
            raise
        return EngineConfig(RedisSettings(nodes=((NOWHERE, 1),)))

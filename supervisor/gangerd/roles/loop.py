"""A role's one thread: descriptors to watch, duties that come round, nothing else.

A duty is a function called when it is due; a descriptor's function is called when it is readable. An
exception that a duty did not expect is logged and the duty comes round again: a role that fails at one
thing goes on with the others, since leases hang on it. Only LeaveLoop ends the loop. The roles' __main__
modules build on this.
"""

import contextlib
import random
import select
import time
from collections.abc import Callable

from gangerd import log
from gangerd.roles.timers import Timers

Duty = Callable[[], None]
MS = 1_000_000
_logger = log.get()


class LeaveLoop(Exception):
    """The role is to end; `status` is its exit code."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Loop:
    """`now_ns` is the monotonic time at which the present round began: good enough for every duty in it."""

    def __init__(self) -> None:
        self._epoll = select.epoll(flags=select.EPOLL_CLOEXEC)
        self._readers: dict[int, Duty] = {}
        self._timers: Timers[str] = Timers()
        self._duties: dict[str, tuple[Duty, float, float]] = {}
        self._signs: list[Duty] = []
        self.now_ns = time.monotonic_ns()

    def watch(self, fd: int, on_readable: Duty) -> None:
        self._epoll.register(fd, select.EPOLLIN)
        self._readers[fd] = on_readable

    def forget(self, fd: int) -> None:
        """Best before the descriptor is closed; one that is closed already has left by itself."""
        if self._readers.pop(fd, None) is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(fd)

    def sign_of_life(self, sign: Duty) -> None:
        """Called after every wake-up, whatever it was for, and every duty: where no server answers, each of
        them may take seconds."""
        self._signs.append(sign)

    def every(self, name: str, period_ms: float, duty: Duty, *, jitter: float = 0.0) -> None:
        """A duty that comes round by itself, the first time at once. `jitter` is the part of the period by
        which each interval may be shorter or longer, so that many hosts don't ask in the same instant."""
        self._duties[name] = (duty, period_ms, jitter)
        self._timers.set(name, time.monotonic_ns())

    def when_asked(self, name: str, duty: Duty) -> None:
        """A duty that comes only when `soon` asks for it."""
        self._duties[name] = (duty, 0.0, 0.0)

    def soon(self, name: str, in_ms: float = 0.0) -> None:
        """The duty is due in `in_ms` at the latest; a moment before that stands."""
        self._timers.set_earlier(name, time.monotonic_ns() + int(in_ms * MS))

    def stop(self, name: str) -> None:
        self._timers.cancel(name)

    def run(self) -> int:
        """Until a duty raises LeaveLoop; the exit code."""
        try:
            while True:
                self.round()
        except LeaveLoop as leave:
            return leave.status

    def round(self, longest_s: float = 60.0) -> None:
        """Wait for the next event (at most so long) and do what it asks for."""
        next_ns = self._timers.next_ns()
        wait_s = longest_s if next_ns is None else min(longest_s, (next_ns - time.monotonic_ns()) / 1e9)
        # epoll rounds up to whole milliseconds; a moment that has passed must not become a wait for ever.
        ready = self._epoll.poll(max(0.0, wait_s))
        self.now_ns = time.monotonic_ns()
        for fd, _ in ready:
            reader = self._readers.get(fd)
            if reader is not None:
                self._call(reader)
        for name in self._timers.pop_due(self.now_ns):
            duty, period_ms, jitter = self._duties[name]
            if period_ms:
                wait_ms = period_ms * random.uniform(1 - jitter, 1 + jitter)
                self._timers.set(name, self.now_ns + int(wait_ms * MS))
            self._call(duty)
        self._sign()

    def _call(self, duty: Duty) -> None:
        try:
            duty()
        except LeaveLoop:
            raise
        except Exception:
            _logger.exception(log.INTERNAL_ERROR, duty=getattr(duty, "__qualname__", repr(duty)))
        self._sign()

    def _sign(self) -> None:
        for sign in self._signs:
            sign()

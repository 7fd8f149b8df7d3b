"""One bell for all idle workers of a host: a ring wakes one sleeper, not all of them.

An eventfd in semaphore mode, waited for with EPOLLEXCLUSIVE. Which worker wakes is up to the kernel; when
to ring is the coordinator's decision. A ring that finds nobody asleep is kept for the next who would sleep.
"""

import contextlib
import os
import select
import time
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Woken:
    """Why a sleeper woke: a ring of its own, other descriptors that are readable; neither = time is up."""

    rung: bool
    readable: tuple[int, ...]


def create() -> int:
    """The bell; share its descriptor with every worker and the one who rings."""
    return os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_NONBLOCK | os.EFD_CLOEXEC)


def ring(fd: int, times: int = 1) -> None:
    """Wake up to `times` sleepers, a different one each. Never blocks."""
    for _ in range(times):
        # One write each: a single write of n would wake one sleeper only.
        with contextlib.suppress(BlockingIOError):  # 2^64 unanswered rings: loud enough
            os.eventfd_write(fd, 1)


def take(fd: int) -> bool:
    """Use up one ring if there is one. Never blocks."""
    try:
        os.eventfd_read(fd)
    except BlockingIOError:
        return False
    return True


def silence(fd: int) -> int:
    """Use up every ring that nobody has answered; how many. For the one who rings, before it counts anew."""
    count = 0
    while take(fd):
        count += 1
    return count


class Sleeper:
    """A worker's way to wait for the bell and for descriptors of its own (its channel, its signals).

    To be made after the fork: an epoll set that two processes share would mix up their sleep.
    """

    def __init__(self, bell: int, also: Iterable[int] = ()) -> None:
        self._bell = bell
        self._epoll = select.epoll(flags=select.EPOLL_CLOEXEC)
        self._epoll.register(bell, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        for fd in also:
            self._epoll.register(fd, select.EPOLLIN)

    def wait(self, timeout_s: float) -> Woken:
        """Sleep until a ring, an own descriptor, or the timeout."""
        deadline_s = time.monotonic() + timeout_s
        # A ring from before this sleep need not be in our epoll set (exclusive: it may have woken another
        # who found it gone or died on the way), so look once before.
        rung = take(self._bell)
        while True:
            left_s = max(0.0, deadline_s - time.monotonic())
            ready = [fd for fd, _ in self._epoll.poll(0 if rung else left_s)]
            others = tuple(fd for fd in ready if fd != self._bell)
            if not rung and self._bell in ready:
                rung = take(self._bell)  # False: another sleeper was quicker
            if rung or others or left_s <= 0:
                return Woken(rung, others)

    def close(self) -> None:
        self._epoll.close()

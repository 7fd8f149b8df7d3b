"""Waiting for a permit: first come, first served within a process, with one contender at a time for each
name; between processes likewise, as the server wakes whoever has waited longest (listener.py). One that can't
be sure to be woken looks by itself, at jittered intervals that grow to a tenth of a second.

Blocking and in coroutines alike: a coroutine waits on its loop and uses a thread only for each short attempt,
so that a thousand of them may wait. Called by block.py.
"""

import random
import threading
from collections import deque
from collections.abc import Callable

from ganger.clock import monotonic_s
from ganger.errors import GangerError
from ganger.passages import passage
from ganger.threads import Threads
from ganger.throttle.holders import Holder
from ganger.throttle.listener import Listener
from ganger.throttle.quorum import Refused
from ganger.throttle.semaphore import Permit, Semaphore

_FIRST_S, _LONGEST_S = 0.005, 0.1
_HEARD_S = 1.0
"""The longest pause of one that is sure to be woken."""
_THREADS = Threads(4)


class Turnstile:
    """Those of this process who wait for one name. Each brings a way to be woken."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._queue: deque[Callable[[], None]] = deque()

    def enter(self, wake: Callable[[], None]) -> None:
        """Stand at the end."""
        with self._lock:
            self._queue.append(wake)

    def is_first(self, wake: Callable[[], None]) -> bool:
        """Is it this one's turn to try?"""
        with self._lock:
            return self._queue[0] is wake

    def leave(self, wake: Callable[[], None]) -> None:
        """Gone, with a permit or without; the next one's turn may have come."""
        with self._lock:
            self._queue.remove(wake)
        self.ring()

    def listen(self, semaphore: Semaphore) -> bool:
        """The first one is to be woken when it is this process's turn; whether it is sure to be."""
        return self._listener.listen(semaphore.keys.waiting, self._turn)

    def _turn(self, channel: bytes) -> None:
        self.ring()

    def ring(self) -> None:
        """A permit of this process has been given back, or the turn has passed on."""
        with self._lock:
            first = self._queue[0] if self._queue else None
        if first is not None:
            first()


class _Patience:
    """How long to sleep between attempts, and until when."""

    def __init__(self, wait_s: float | None) -> None:
        self._until_s = None if wait_s is None else monotonic_s() + wait_s
        self._pause_s = _FIRST_S

    def left_s(self) -> float:
        """Until its time is up."""
        return float("inf") if self._until_s is None else self._until_s - monotonic_s()

    def pause_s(self, refused: Refused | None, heard: bool) -> float | None:
        """None: the time is up. Without a refusal (not yet the first) it is the whole time that is left."""
        left_s = self.left_s()
        if left_s <= 0:
            return None
        if refused is None:
            return min(left_s, 60.0)
        self._pause_s = min(_HEARD_S if heard else _LONGEST_S, self._pause_s * 2)
        pause_s = self._pause_s * random.uniform(0.5, 1.0)
        if refused.why != "full":
            pause_s = random.uniform(0.2, 0.4)
        elif refused.wait_ms:
            pause_s = min(pause_s, refused.wait_ms / 1000 + random.uniform(0, _FIRST_S))
        return min(left_s, pause_s)

    def again(self) -> None:
        """Woken: should somebody be quicker, look again soon."""
        self._pause_s = _FIRST_S


@passage
def acquire(semaphore: Semaphore, turnstile: Turnstile, holder: Holder, wait_s: float | None) -> Permit:
    """A permit, within `wait_s` seconds (None: however long it takes; 0: one try). Raises NoPermit,
    QuorumLost, BadThrottleServer."""
    rung = threading.Event()
    wake = rung.set
    patience = _Patience(wait_s)
    refused: Refused | None = None
    turnstile.enter(wake)
    try:
        while True:
            rung.clear()
            refused, heard = None, False
            if turnstile.is_first(wake):
                outcome = semaphore.attempt(holder, patience.left_s())
                if isinstance(outcome, Permit):
                    return outcome
                refused = outcome
                heard = patience.left_s() > 0 and turnstile.listen(semaphore)
            pause_s = patience.pause_s(refused, heard)
            if pause_s is None or (refused is not None and refused.why == "other"):
                raise _timed_out(semaphore, refused)
            if rung.wait(pause_s):
                patience.again()
    finally:
        turnstile.leave(wake)


async def acquire_async(
    semaphore: Semaphore, turnstile: Turnstile, holder: Holder, wait_s: float | None
) -> Permit:
    """The same from a coroutine."""
    import asyncio

    loop, rung = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        loop.call_soon_threadsafe(rung.set)

    patience = _Patience(wait_s)
    turnstile.enter(wake)
    try:
        while True:
            rung.clear()
            refused: Refused | None = None
            heard = False
            if turnstile.is_first(wake):
                outcome = await _attempt(semaphore, holder, patience.left_s())
                if isinstance(outcome, Permit):
                    return outcome
                refused = outcome
                heard = patience.left_s() > 0 and turnstile.listen(semaphore)
            pause_s = patience.pause_s(refused, heard)
            if pause_s is None or (refused is not None and refused.why == "other"):
                raise _timed_out(semaphore, refused)
            try:
                await asyncio.wait_for(rung.wait(), pause_s)
                patience.again()
            except TimeoutError:
                continue
    finally:
        turnstile.leave(wake)


async def release_async(permit: Permit) -> None:
    """Give it back from a coroutine; also when that is cancelled meanwhile."""
    await _THREADS.run(lambda: permit.semaphore.release(permit))


async def _attempt(semaphore: Semaphore, holder: Holder, stays_s: float) -> Permit | Refused:
    """One attempt in a thread. Cancelled meanwhile, it gives back what it gets."""
    lock, got, cancelled = threading.Lock(), [], False

    def attempt() -> Permit | Refused:
        outcome = semaphore.attempt(holder, stays_s)
        with lock:
            if isinstance(outcome, Permit):
                got.append(outcome)
            unwanted = cancelled
        if unwanted and isinstance(outcome, Permit):
            semaphore.release(outcome)
        return outcome

    try:
        return await _THREADS.run(attempt)
    except BaseException:
        with lock:
            cancelled = True
            late = list(got)
        for permit in late:
            semaphore.release(permit)
        raise


def _timed_out(semaphore: Semaphore, refused: Refused | None) -> GangerError:
    return semaphore.refusal(refused or Refused("full"))

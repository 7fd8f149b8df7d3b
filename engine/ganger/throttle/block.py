"""semaphore: a block that at most so many run at a time, across all hosts.

    with semaphore("api", limit=5, wait=10) as permit:
        for page in pages:
            permit.check()
            fetch(page)

The permit is renewed by a thread (keeper.py) while the block runs. If that fails for a whole time to live, or
somebody takes the permit away, `check` raises PermitLost, and so does the end of the block: a block can't be
stopped from outside, but it need not go on unknowing.

Crash points: the process dies in the block: its permit is free when its time is over (10 s). It dies between
grant and block, or at the end before the release: likewise. A fork within the block: the permit is the
parent's.
"""

import threading
import warnings
from datetime import timedelta
from types import TracebackType
from typing import Any

from ganger import diversion
from ganger import options as known
from ganger.current import NoJob, current
from ganger.errors import BadOptions, LimitMismatchWarning, PermitLost
from ganger.keys import check_limit
from ganger.passages import passage
from ganger.throttle.default import Throttles, default_throttles
from ganger.throttle.holders import this_process
from ganger.throttle.semaphore import Permit, Semaphore
from ganger.throttle.waiting import Turnstile, acquire, acquire_async, release_async


class Held:
    """What the block has: its permit. Within a test mode there is no server, and every permit is granted."""

    def __init__(self, permit: Permit | None) -> None:
        self.permit = permit

    @property
    def valid(self) -> bool:
        """Does it hold now?"""
        return self.permit is None or self.permit.valid

    @property
    def valid_for_s(self) -> float:
        """For how many seconds it is sure to hold, should no server answer from now on."""
        return float("inf") if self.permit is None else self.permit.valid_for_s

    def check(self) -> None:
        """Raises PermitLost when it does not hold any more."""
        if not self.valid:
            assert self.permit is not None
            raise _lost(self.permit)


class SemaphoreBlock:
    """See above: `with` or `async with`, as often as one likes, by several threads and tasks at once."""

    def __init__(
        self, name: str, limit: int, wait_s: float | None, note: str, throttles: Throttles | None
    ) -> None:
        self._name = name
        self._limit = limit
        self._wait_s = wait_s
        self._note = note
        self._throttles = throttles
        self._made: tuple[Semaphore, Throttles] | None = None
        self._open: dict[Any, list[Held]] = {}
        self._told: set[int] = set()

    @passage
    def __enter__(self) -> Held:
        if diversion.current() is not None:
            return self._push(threading.get_ident(), None)
        semaphore, turnstile, throttles = self._ready()
        permit = acquire(semaphore, turnstile, self._holder(), self._wait_s)
        self._compare(permit)
        throttles.keeper.keep(permit)
        return self._push(threading.get_ident(), permit)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        permit = self._pop(threading.get_ident()).permit
        if permit is None:
            return
        _, turnstile, throttles = self._ready()
        lost = not permit.valid
        throttles.keeper.drop(permit)
        permit.semaphore.release(permit)
        turnstile.ring()
        if lost:
            _tell(permit, error)

    async def __aenter__(self) -> Held:
        if diversion.current() is not None:
            return self._push(_task(), None)
        semaphore, turnstile, throttles = self._ready()
        permit = await acquire_async(semaphore, turnstile, self._holder(), self._wait_s)
        self._compare(permit)
        throttles.keeper.keep(permit)
        return self._push(_task(), permit)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        permit = self._pop(_task()).permit
        if permit is None:
            return
        _, turnstile, throttles = self._ready()
        lost = not permit.valid
        throttles.keeper.drop(permit)
        await release_async(permit)
        turnstile.ring()
        if lost:
            _tell(permit, error)

    # ---- inside ------------------------------------------------------------------------------------

    def _ready(self) -> tuple[Semaphore, Turnstile, Throttles]:
        """As things are now: the default servers may be others since (a test), the turnstile is (a fork)."""
        throttles = self._throttles or default_throttles()
        if self._made is None or self._made[1] is not throttles:
            made = Semaphore(throttles.servers, throttles.namespace, self._name, self._limit)
            self._made = made, throttles
        return self._made[0], throttles.turnstile(self._name), throttles

    def _compare(self, permit: Permit) -> None:
        """Once for each other limit, so that a name used for two things does not go unseen."""
        other = permit.other_limit
        if other and other not in self._told:
            self._told.add(other)
            said = (
                f"semaphore {self._name}: here its limit is {self._limit}, somebody else's is {other}; while"
                " both are used the larger one holds. Give one name one limit."
            )
            try:
                warnings.warn(said, LimitMismatchWarning, stacklevel=3)
            except LimitMismatchWarning:
                permit.semaphore.release(permit)
                raise

    def _holder(self) -> Any:
        try:
            return this_process(current().jid, self._note)
        except NoJob:
            return this_process(note=self._note)

    def _push(self, whose: Any, permit: Permit | None) -> Held:
        # Without a lock, which a fork might find taken: nobody else looks at what is this thread's or task's.
        held = Held(permit)
        self._open.setdefault(whose, []).append(held)
        return held

    def _pop(self, whose: Any) -> Held:
        stack = self._open[whose]
        held = stack.pop()
        if not stack:
            del self._open[whose]
        return held


def semaphore(
    name: str,
    limit: int,
    *,
    wait: float | timedelta | None = None,
    note: str = "",
    throttles: Throttles | None = None,
) -> SemaphoreBlock:
    """A block that at most `limit` run at a time, of all that use this name. `wait`: for so many seconds at
    most (0: not at all; None: as long as it takes), then NoPermit, or QuorumLost where too few servers
    answer. `note`: for `inspect` to show. Raises BadName, BadOptions, NotConfigured, BadThrottleServer,
    PermitLost."""
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise BadOptions(f"limit must be a whole number above 0, not {limit!r}.")
    wait_s = None if wait is None else 0.0 if wait == 0 else known.check_span("wait", wait)
    return SemaphoreBlock(check_limit(name), limit, wait_s, note[:200], throttles)


def _task() -> Any:
    import asyncio

    return asyncio.current_task()


def _lost(permit: Permit) -> PermitLost:
    name = permit.semaphore.name
    if permit.holding.revoked:
        return PermitLost(f"The permit of {name} was taken away by an operator while its block ran.")
    return PermitLost(
        f"The permit of {name} was lost while its block ran: it could not be renewed in time (the process"
        " stood still, or too few servers answered). Others may run by now."
    )


def _tell(permit: Permit, error: BaseException | None) -> None:
    """The block's own error is what its caller must hear."""
    lost = _lost(permit)
    if error is None:
        raise lost
    if not isinstance(error, PermitLost):
        error.add_note(str(lost))

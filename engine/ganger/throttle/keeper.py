"""Renews the permits of this process while their blocks run: one thread for each set of servers, started by
the first permit, never at import, and ended when there has been none for a while.

All permits go in one conversation, at a third of their time; one that could not be renewed is tried again
soon. What is lost stays lost, and its block finds out by `check` or at its end. A forked child keeps
nothing: the parent goes on renewing its own. Called by block.py.
"""

import os
import threading
import weakref

from ganger.clock import boottime_s
from ganger.errors import GangerError
from ganger.throttle.semaphore import Permit, renew
from ganger.throttle.servers import Servers

IDLE_S = 5.0
"""How long the thread stays when there is nothing to renew: not every short block shall cost a thread."""


class Keeper:
    """See above."""

    def __init__(self, servers: Servers, idle_s: float = IDLE_S) -> None:
        self._servers = servers
        self._idle_s = idle_s
        self._forget_all()
        _living.add(self)

    def _forget_all(self) -> None:
        self._changed = threading.Condition()
        self._permits: set[Permit] = set()
        self._thread: threading.Thread | None = None
        self._idle = False

    def keep(self, permit: Permit) -> None:
        """Renew it from now on."""
        with self._changed:
            self._permits.add(permit)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ganger-permits", daemon=True)
                self._thread.start()
            elif self._idle:
                self._changed.notify()

    def drop(self, permit: Permit) -> None:
        """Renew it no more."""
        with self._changed:
            self._permits.discard(permit)

    def _run(self) -> None:
        due_s = 0.0
        while True:
            with self._changed:
                if not self._permits:
                    self._idle = True
                    self._changed.wait(self._idle_s)
                    self._idle, due_s = False, 0.0
                    if not self._permits:
                        self._thread = None
                        return
                ttl_s = min(permit.semaphore.terms.ttl_ms for permit in self._permits) / 1000
                # A permit that came since the last round has more of its time left than one that was renewed.
                due_s = due_s or boottime_s() + ttl_s / 3
                left_s = due_s - boottime_s()
                if left_s > 0:
                    self._changed.wait(left_s)
                    continue
                permits = list(self._permits)
            due_s = boottime_s() + (ttl_s / 3 if self._renew(permits, ttl_s) else ttl_s / 10)

    def _renew(self, permits: list[Permit], ttl_s: float) -> bool:
        """Have they all a good while left then?"""
        try:
            lost = renew(self._servers, permits)
        except GangerError:
            return False
        with self._changed:
            self._permits.difference_update(lost)
        return all(permit.valid_for_s > ttl_s / 2 for permit in permits if permit not in lost)


_living: "weakref.WeakSet[Keeper]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for keeper in list(_living):
        keeper._forget_all()


os.register_at_fork(after_in_child=_after_fork_in_child)

"""Processes that jobs have started and nobody waits for: told of while their worker rests, ended with it.

A job that starts a process and ends, or dies, leaves it behind, and it goes on with half the job. While the
worker lives only its own leaf says whose it is, one small read; it may be meant so, so it is told of and left
alone. At the burial, when the worker itself is reaped, whatever is in its leaf or, without one, its session
is ended. Only what is there is touched: every other stray may belong to a newborn worker.

Called by the master's duties and by the burial.
"""

import contextlib
import os
import signal

from gangerd import log
from gangerd.linux import cgroup, processes
from gangerd.master.children import Child
from gangerd.master.seats import Seat
from gangerd.page import PageGarbled

_log = log.get()


class Leftovers:
    """What runs in the leaves of workers that rest."""

    def __init__(self) -> None:
        self._known: dict[str, set[int]] = {}
        """Incarnation -> pids that the app started before its first job, or that have been told of."""

    def born(self, child: Child, leaf: str) -> None:
        """At GO: what is there by now the app's hooks have started, to stay."""
        if leaf:
            self._known[child.incarnation] = set(cgroup.members(leaf))

    def look(self, child: Child, seat: Seat) -> None:
        """It rests: tell of what is there that was not before."""
        if not seat.leaf:
            return
        found = set(cgroup.members(seat.leaf)) - {child.pid}
        known = self._known.get(child.incarnation, set())
        self._known[child.incarnation] = found
        if new := sorted(found - known):
            _log.warning(
                log.JOB_LEFTOVERS,
                slot=child.slot,
                worker=child.incarnation,
                pids=new,
                commands=[processes.command(pid) for pid in new],
                types=_ran_last(seat),
            )

    def forget(self, incarnation: str) -> None:
        self._known.pop(incarnation, None)


def _ran_last(seat: Seat) -> list[str]:
    """The types of the last batch: one of them was it, or an earlier one while nobody looked."""
    with contextlib.suppress(PageGarbled):
        return sorted({entry.type for entry in seat.page.snapshot().held})
    return []


def end(worker_pid: int, leaf: str) -> list[int]:
    """Send SIGKILL to all that a dead worker has left; their pids. They arrive at the subreaper like any
    orphan."""
    if leaf:
        return cgroup.kill_leftovers(leaf)
    pids = processes.session_members(worker_pid)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return pids

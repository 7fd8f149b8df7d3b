"""What the service manager is told of the tree, and how often: a line of status, more time, the watchdog.

READY, RELOADING and STOPPING are said where those things happen (actions.py). Called at each tick of the
loop: a loop that is stuck pings no more, and one that turns without doing its work fails its check and pings
no more either. Nothing of Redis is in that check: a master outlives its outage, and no restart would end it.
"""

import os

from gangerd import log
from gangerd.linux.notify import Notifier
from gangerd.master.children import WORKER
from gangerd.master.generations import Phase as Generation
from gangerd.master.lifecycle import ChildState, System
from gangerd.master.restarts import SECOND
from gangerd.master.tree import Tree
from gangerd.recorder import Phase

EXTEND_S = 20.0
"""How much more time is asked for while starting and ending."""
EXTEND_EVERY_S = 5.0
"""How often: well before the last extension is over."""
LATE_S = 30.0
"""How far past its deadline a child may be, and how long dead and not reaped, before the loop is to blame."""

_MAKING_TIME = (System.STARTING, System.DRAINING, System.KILLING, System.CLOSING)
_log = log.get()


class Herald:
    """One master's line to its service manager."""

    def __init__(self, tree: Tree, notifier: Notifier) -> None:
        self._tree = tree
        self._notifier = notifier
        self._next_status_ns = 0
        self._next_extension_ns = 0
        self._extending: System | None = None
        self._next_ping_ns = 0
        self._dead_since_ns: dict[int, int] = {}
        self._complaint = ""

    def tick(self, now_ns: int) -> None:
        """At most ten times a second, by the loop itself."""
        notifier = self._notifier
        if not notifier.heard:
            return
        notifier.flush()
        if now_ns >= self._next_status_ns:
            self._next_status_ns = now_ns + SECOND
            notifier.status(line(self._tree, now_ns))
        self._make_time(now_ns)
        interval_s = notifier.watchdog_interval_s
        if interval_s is not None and now_ns >= self._next_ping_ns and self._is_well(now_ns):
            self._next_ping_ns = now_ns + int(interval_s * SECOND)
            notifier.watchdog()

    def _make_time(self, now_ns: int) -> None:
        """What was granted for the start does not count for the end: at each change the first word is at
        once."""
        system = self._tree.system
        if system in _MAKING_TIME and (system is not self._extending or now_ns >= self._next_extension_ns):
            self._next_extension_ns = now_ns + int(EXTEND_EVERY_S * SECOND)
            self._notifier.extend_timeout(EXTEND_S)
        self._extending = system

    def close(self, now_ns: int) -> None:
        """The last words, which stay in `systemctl status`."""
        self._notifier.status(line(self._tree, now_ns))
        self._notifier.close()

    def moved(self, gap_ns: int) -> None:
        """The master was away itself: what it has not done meanwhile is no fault of its loop."""
        self._dead_since_ns = {pid: since + gap_ns for pid, since in self._dead_since_ns.items()}

    def _is_well(self, now_ns: int) -> bool:
        complaint = self._check(now_ns)
        if complaint and complaint != self._complaint:
            _log.error(log.SELF_CHECK_FAILED, error=complaint)
        self._complaint = complaint
        return not complaint

    def _check(self, now_ns: int) -> str:
        """What the loop has left undone for too long; "" for nothing."""
        late_ns = now_ns - int(LATE_S * SECOND)
        dead = {child.pid for child in self._tree.children if child.pid and _waits_to_be_reaped(child.pid)}
        self._dead_since_ns = {pid: self._dead_since_ns.get(pid, now_ns) for pid in dead}
        for pid, since_ns in self._dead_since_ns.items():
            if since_ns < late_ns:
                return f"process {pid} has been dead for {LATE_S:g} s and was not reaped"
        for child in self._tree.children:
            if child.deadline_ns is not None and child.deadline_ns < late_ns:
                return f"process {child.pid} is {LATE_S:g} s past its deadline and nothing was done"
        return ""


def line(tree: Tree, now_ns: int) -> str:
    """What `systemctl status` shows: the figures that say whether jobs are run, then what stands in the
    way."""
    workers = tree.children.workers()
    serving = [child for child in workers if child.state in (ChildState.SERVING, ChildState.RETIRING)]
    busy = sum(tree.seat(child).page.phase >= Phase.RUNNING for child in serving)
    figures = f"{len(serving)} of {tree.wanted} workers, {busy} busy"
    if tree.exit_code:
        return f"could not start: {_errors(tree) or 'the log says why'}"
    if tree.system is System.STARTING:
        return f"starting: {_missing(tree)}"
    if tree.system is System.DRAINING and tree.drain_until_ns is not None:
        left_s = max(0, tree.drain_until_ns - now_ns) // SECOND
        return f"draining: {len(serving)} workers left, {busy} busy, {left_s} s at most"
    if tree.system is System.ENDED:
        return "ended in order"
    if tree.system is not System.SERVING:
        return f"ending: {len(serving)} workers left, {len(tree.deaths)} deaths to settle"
    said = [figures, f"generation {tree.generations.current}", *_reload(tree)]
    if tree.quiet:
        said.insert(0, "claims nothing (SIGTSTP)")
    if tree.restarts.total:
        said.append(f"{tree.restarts.total} restarts")
    if len(tree.deaths):
        said.append(f"{len(tree.deaths)} deaths to settle")
    if tree.restarts.held_back(now_ns):
        said.append(f"workers are held back: {tree.last_error.get(WORKER, 'they die outside jobs')}")
    return ", ".join(said)


def _reload(tree: Tree) -> list[str]:
    """What becomes of the last reload, as long as somebody may want to know."""
    outcome, old = tree.outcome, len(tree.outdated())
    said = [f"{old} in older generations"] if old else []
    if tree.generations.phase is not Generation.RESTING:
        said.append(f"reloading to {outcome.generation}: {tree.generations.phase.value}")
    elif outcome.state == "failed":
        said.append(f"the reload failed: {outcome.error}")
    return said


def _missing(tree: Tree) -> str:
    """What a start waits for, and what went wrong with it so far."""
    names = [spec.name for spec in tree.cast.roles if spec.name not in tree.served]
    if WORKER not in tree.served:
        names.append("a first worker")
    error = _errors(tree)
    return f"waits for {', '.join(names) or 'nothing'}" + (f" ({error})" if error else "")


def _errors(tree: Tree) -> str:
    return "; ".join(error for error in tree.last_error.values() if error)[:300]


def _waits_to_be_reaped(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False

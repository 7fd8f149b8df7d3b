"""What the master does by the clock: deadlines, the coordinator's pulse, memory, the system's own progress.

Looks at the tree, finds what has become due and makes it an event (actions.py steps it). The clock is handed
in. Called by the loop.
"""

from gangerd import log
from gangerd.master import report
from gangerd.master.actions import close_roles, step_child, step_system
from gangerd.master.cast import COORDINATOR
from gangerd.master.children import WORKER, Child
from gangerd.master.ending import MEMORY_LIMIT, RELEASED
from gangerd.master.generations import Phase
from gangerd.master.herald import Herald
from gangerd.master.lifecycle import ChildEvent, ChildState, System, SystemEvent
from gangerd.master.restarts import SECOND
from gangerd.master.stalls import Stalls
from gangerd.master.tree import Tree
from gangerd.master.turnover import Turnover
from gangerd.recorder import HeaderWord
from gangerd.recorder import Phase as Shown

STUCK_WAIT_S = 10.0
"""How long an end waits for a process that even SIGKILL does not end."""

_log = log.get()


def under_way(tree: Tree) -> bool:
    """Whether something can become due soon: a job's deadline, a child's, the tree's own."""
    if tree.system not in (System.STARTING, System.SERVING) or tree.dumps_due_ns is not None:
        return True
    if tree.generations.phase is not Phase.RESTING or tree.generations.wanted or tree.outdated():
        return True
    return any(
        child.deadline_ns is not None or (child.is_worker and tree.seat(child).page.phase >= Shown.RUNNING)
        for child in tree.children
    )


class Duties:
    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._herald = Herald(tree, tree.notifier)
        self._next_disk_ns = 0
        self._held_back = False
        self._stalls = Stalls(tree.timing.hung_s)
        self._turnover = Turnover(tree)

    def come_back(self, gap_ns: int, now_ns: int) -> None:
        """The last turn was so long ago: if we were not running (suspend, docker pause), nobody else may be
        blamed for that time."""
        tree = self._tree
        if gap_ns <= tree.timing.away_s * SECOND:
            return
        _log.warning(log.MASTER_WAS_AWAY, gap_ms=gap_ns // 1_000_000)
        for child in tree.children:
            if child.deadline_ns is not None:
                child.deadline_ns += gap_ns
            if child.outdated_ns:
                child.outdated_ns += gap_ns
        if tree.incoming is not None:
            tree.incoming.since_ns += gap_ns
        tree.outcome.committed_ns += gap_ns
        tree.outcome.moved_ns += gap_ns
        if tree.drain_until_ns is not None:
            tree.drain_until_ns += gap_ns
        tree.watch.moved(gap_ns)
        tree.endings.moved(gap_ns, now_ns)
        self._stalls.moved()
        self._herald.moved(gap_ns)

    def close(self, now_ns: int) -> None:
        """The tree is gone."""
        report.write(self._tree, now_ns)
        self._herald.close(now_ns)

    def tick(self, now_ns: int) -> None:
        """Ten times a second: runs, memory, deadlines, queued mail, disk, systemd, the status file."""
        tree = self._tree
        workers = tree.children.workers()
        tree.recorder.header[HeaderWord.MASTER_AT_NS] = now_ns
        tree.recorder.header[HeaderWord.SERVING] = tree.system is System.SERVING
        tree.endings.tick(workers, now_ns)
        for child in tree.memory.tick(workers, now_ns):
            tree.endings.end(child, MEMORY_LIMIT, now_ns)
        for child in tree.memory.come_to_rest:
            tree.leftovers.look(child, tree.seat(child))
        tree.recorder.header[HeaderWord.MEMORY_HIGH] = tree.memory.alarm.total
        tree.recorder.header[HeaderWord.LOG_DROPPED] = log.dropped()
        self._end_the_hung(workers, now_ns)
        self._turnover.tick(now_ns)
        for child in tree.children:
            self._watch(child, now_ns)
            if child.deadline_ns is not None and now_ns >= child.deadline_ns:
                self._overdue(child, now_ns)
        for mailbox in tree.mail.values():
            mailbox.flush()
        self._each_while(now_ns)
        report.write(tree, now_ns)

    def _each_while(self, now_ns: int) -> None:
        tree = self._tree
        if now_ns >= self._next_disk_ns:
            self._next_disk_ns = now_ns + SECOND
            tree.deaths.retry_disk()
            held_back = tree.restarts.held_back(now_ns)
            if held_back and not self._held_back:
                _log.warning(log.WORKERS_HELD_BACK, last_error=tree.last_error.get(WORKER, ""))
            self._held_back = held_back
        self._herald.tick(now_ns)

    def _watch(self, child: Child, now_ns: int) -> None:
        """A coordinator that stamps is alive although it may not serve yet (Redis down); one that has
        stamped and stopped is hung, whatever it says."""
        tree = self._tree
        if child.role != COORDINATOR or not tree.spec(child.role).watched:
            return
        stale = tree.watch.stale(tree.recorder.word(HeaderWord.COORDINATOR_AT_NS), now_ns)
        starting = child.state is ChildState.STARTING
        if starting and tree.watch.stamped:
            child.deadline_ns = None
        if stale and (child.state is ChildState.SERVING or (starting and tree.watch.stamped)):
            child.reason = f"it has given no sign of life for {tree.timing.stale_s:g} s"
            step_child(tree, child, ChildEvent.OVERDUE, now_ns)

    def _end_the_hung(self, workers: list[Child], now_ns: int) -> None:
        """Its end is nobody's fault: a job that it starts at this very moment goes back unblamed."""
        serving = [child for child in workers if child.state in (ChildState.SERVING, ChildState.RETIRING)]
        for child in serving:
            if self._stalls.hangs(child.incarnation, self._tree.seat(child).page, now_ns):
                if self._tree.endings.intent(child.incarnation) is None:
                    text = f"it ran no job and showed no sign of life for {self._tree.timing.hung_s:g} s"
                    _log.error(log.WORKER_STUCK, worker=child.incarnation, pid=child.pid, text=text)
                self._tree.endings.end(child, RELEASED, now_ns)
        self._stalls.keep({child.incarnation for child in serving})

    def _overdue(self, child: Child, now_ns: int) -> None:
        if not child.reason and child.state is not ChildState.DOOMED:
            for_s = (now_ns - child.since_ns) / SECOND
            child.reason = f"it was still {child.state.name.lower()} after {for_s:.1f} s"
        step_child(self._tree, child, ChildEvent.OVERDUE, now_ns)

    def move_on(self, now_ns: int) -> None:
        """Has what the system waits for happened?"""
        tree = self._tree
        if tree.system is System.STARTING and {WORKER, COORDINATOR} <= tree.served:
            step_system(tree, SystemEvent.UP, now_ns)
        if (
            tree.system is System.DRAINING
            and tree.drain_until_ns is not None
            and now_ns >= tree.drain_until_ns
        ):
            step_system(tree, SystemEvent.TIMEOUT, now_ns)
        if tree.system in (System.DRAINING, System.KILLING) and self._workers_gone(now_ns):
            step_system(tree, SystemEvent.WORKERS_GONE, now_ns)
        if tree.system is System.CLOSING:
            close_roles(tree, now_ns)

    def _workers_gone(self, now_ns: int) -> bool:
        """No worker lives (but what nothing can end), and the last deaths are settled or waited for."""
        tree = self._tree
        if tree.children.workers():
            given_up = tree.kill_sent_ns is not None and now_ns - tree.kill_sent_ns > STUCK_WAIT_S * SECOND
            if not given_up:
                return False
        if tree.no_workers_since_ns is None:
            tree.no_workers_since_ns = now_ns
        waited_s = (now_ns - tree.no_workers_since_ns) / SECOND
        return len(tree.deaths) == 0 or COORDINATOR not in tree.served or waited_s > tree.timing.settle_wait_s

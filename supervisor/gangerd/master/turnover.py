"""The recycling of workers: one at a time is asked to leave, while another stands by to take its place.

It leaves between two jobs, gives back what it has not started, and whoever stands by is called as soon as it
says so (reserve.py): at no time does a place stand empty. Whose turn it is, recycling.py says. Called by the
master's duties at each tick; costs nothing where nothing is set.
"""

from gangerd import log
from gangerd.config import Config
from gangerd.master import recycling
from gangerd.master.actions import step_child
from gangerd.master.children import Child
from gangerd.master.deadlines import look
from gangerd.master.generations import Phase as Reload
from gangerd.master.lifecycle import ChildEvent, ChildState, System
from gangerd.master.recycling import Life, Limits, Reason
from gangerd.master.tree import Tree
from gangerd.recorder import COUNTERS_AT, Counter, HeaderWord

PATIENCE_NS = 60_000_000_000
"""One whose job goes on for longer than that no longer keeps the next from its turn: it works meanwhile."""

_AT_WORK = (ChildState.SERVING, ChildState.RETIRING)
_STARTED = COUNTERS_AT + Counter.STARTED
_WORDS = {
    Reason.JOBS: HeaderWord.RECYCLED_JOBS,
    Reason.MEMORY: HeaderWord.RECYCLED_MEMORY,
    Reason.AGE: HeaderWord.RECYCLED_AGE,
}
_log = log.get()


def limits_of(config: Config) -> Limits:
    return Limits(config.recycle_jobs, config.recycle_memory_bytes, config.recycle_age_ms)


class Turnover:
    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._turn: tuple[str, int] | None = None
        """Who was asked to leave last, and when."""

    def tick(self, now_ns: int) -> None:
        """Ask the next one to leave, if it is time for that."""
        limits = limits_of(self._tree.config)
        if not limits.any or not self._may(now_ns):
            return
        serving = [each for each in self._tree.children.workers() if each.state is ChildState.SERVING]
        chosen = recycling.choose((self._life(child, now_ns) for child in serving), limits)
        if chosen is None:
            return
        life, reason = chosen
        child = next(each for each in serving if each.incarnation == life.incarnation)
        self._turn = child.incarnation, now_ns
        self._tree.recorder.header[_WORDS[reason]] += 1
        _log.info(
            log.WORKER_RECYCLED,
            slot=child.slot,
            worker=child.incarnation,
            child=child.pid,
            reason=str(reason),
            jobs=life.jobs,
            left_bytes=life.left_bytes,
            age_s=round(life.age_ns / 1e9, 1),
        )
        step_child(self._tree, child, ChildEvent.RETIRE, now_ns)

    def _may(self, now_ns: int) -> bool:
        """Nobody is missing, one stands by, and the last one has left, or works on for long. A reload
        replaces everybody anyway."""
        tree = self._tree
        if tree.system is not System.SERVING or tree.quiet:
            return False
        if tree.generations.phase is not Reload.RESTING or tree.outdated():
            return False
        if self._turn is not None:
            incarnation, since_ns = self._turn
            if tree.children.by_incarnation(incarnation) is not None and now_ns - since_ns < PATIENCE_NS:
                return False
        workers = tree.children.workers()
        at_work = sum(child.state in _AT_WORK and not child.leaving for child in workers)
        return at_work >= tree.wanted and any(child.state is ChildState.STANDBY for child in workers)

    def _life(self, child: Child, now_ns: int) -> Life:
        page = self._tree.seat(child).page
        seen = look(page)
        moved_in = seen.incarnation == child.incarnation
        return Life(
            incarnation=child.incarnation,
            jobs=page.words[_STARTED] if moved_in else 0,
            left_bytes=self._tree.memory.left_bytes(child.incarnation),
            age_ns=now_ns - child.served_ns,
            running_ns=now_ns - seen.started_ns if moved_in and seen.run_seq else 0,
        )

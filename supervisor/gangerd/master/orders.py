"""The operator's signals: what each asks of the tree (the table of meanings is in linux/signals.py).

Changes what is wanted and steps the tables; the loop reads the signals. Called by it alone.
"""

from collections.abc import Callable

from gangerd import log
from gangerd.linux import faults
from gangerd.linux.signals import Meaning
from gangerd.master import report
from gangerd.master.actions import control_bits, step_child, step_system
from gangerd.master.generations import Phase
from gangerd.master.lifecycle import ChildEvent, ChildState, System, SystemEvent
from gangerd.master.tree import Tree
from gangerd.messages import Wake

_log = log.get()


def obey(tree: Tree, meaning: Meaning, number: int, now_ns: int) -> None:
    _log.info(log.SIGNAL_RECEIVED, signal=number, meaning=meaning.value)
    _ORDERS[meaning](tree, now_ns)


def _drain(tree: Tree, now_ns: int) -> None:
    step_system(tree, SystemEvent.DRAIN, now_ns)


def _reload(tree: Tree, now_ns: int) -> None:
    if tree.system not in (System.STARTING, System.SERVING):
        _log.warning(log.RELOAD_IGNORED, error="the service is being stopped")
    elif tree.generations.ask() and tree.generations.phase is not Phase.RESTING:
        _log.info(log.RELOAD_REMEMBERED, phase=tree.generations.phase.value)


def _quiet(tree: Tree, now_ns: int) -> None:
    tree.quiet = True
    _tell_workers(tree)


def _resume(tree: Tree, now_ns: int) -> None:
    tree.quiet = False
    _tell_workers(tree)


def _tell_workers(tree: Tree) -> None:
    for child in tree.children.workers():
        if child.state is ChildState.SERVING:
            tree.seat(child).page.set_control(control_bits(tree, child))
            tree.post(child).send(Wake())


def _more(tree: Tree, now_ns: int) -> None:
    # One seat stays spare, for a reload or for the replacement of a process that can't be ended.
    tree.wanted = min(tree.wanted + 1, len(tree.recorder.seats) - 1)


def _fewer(tree: Tree, now_ns: int) -> None:
    tree.wanted = max(tree.wanted - 1, 0)
    workers = [child for child in tree.children.workers() if not child.trial]
    serving = [child for child in workers if child.state is ChildState.SERVING]
    if len(serving) > tree.places():
        old = [child for child in serving if child.outdated_ns]
        step_child(tree, (old or serving)[-1], ChildEvent.RETIRE, now_ns)


def _dump(tree: Tree, now_ns: int) -> None:
    _log.info(log.STATE_DUMPED, **report.compose(tree, now_ns))
    for child in tree.children.workers():
        if child.served_ns and child.pid and faults.request_dump(child.pid):
            tree.dumps_due_ns = now_ns + report.DUMP_WAIT_NS


_ORDERS: dict[Meaning, Callable[[Tree, int], None]] = {
    Meaning.DRAIN: _drain,
    Meaning.RELOAD: _reload,
    Meaning.QUIET: _quiet,
    Meaning.RESUME: _resume,
    Meaning.MORE: _more,
    Meaning.FEWER: _fewer,
    Meaning.DUMP: _dump,
}

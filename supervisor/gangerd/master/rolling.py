"""After the commit of a reload: the new generation is in force, and the old one leaves, one at a time.

One worker more than is wanted serves meanwhile, so that no place is ever empty. The turn to leave is offered
to all the old at once and had by the first that comes between two jobs (worker/turn.py); the next is given
when the one who left is gone and a new one serves. A job may go on in an old worker for reload_timeout; then
it is ended and goes back, no attempt used. Called by reloading.py, also when the reload counts as done."""

import os

from gangerd import log
from gangerd.master import generations, manifest
from gangerd.master.actions import control_bits, step_child
from gangerd.master.cast import COORDINATOR, TEMPLATE
from gangerd.master.children import WORKER, Child
from gangerd.master.ending import RELEASED
from gangerd.master.incoming import Incoming
from gangerd.master.lifecycle import ChildEvent, ChildState
from gangerd.master.restarts import SECOND
from gangerd.master.tree import Tree
from gangerd.messages import Wake
from gangerd.recorder import HeaderWord, Phase

_ALIVE = (ChildState.STARTING, ChildState.SERVING)
_log = log.get()


def commit(tree: Tree, incoming: Incoming, now_ns: int) -> None:
    """The new template, settings and manifest are those in force; the old ones begin to leave."""
    assert incoming.template is not None
    old_template, old = tree.children.role(TEMPLATE), tree.config
    tree.children.promote(incoming.template)
    if incoming.canary is not None:
        tree.children.promote(incoming.canary)
    if old_template is not None:
        step_child(tree, old_template, ChildEvent.RETIRE, now_ns)
    os.close(tree.fds["config"])
    tree.fds["config"] = incoming.config_fd
    tree.config = incoming.config
    tree.outcome.committed_ns = now_ns
    if incoming.config.workers != old.workers:
        tree.wanted = incoming.config.workers
    if (incoming.config.log_format, incoming.config.log_level) != (old.log_format, old.log_level):
        log.configure(incoming.config.log_format, incoming.config.log_level, role="master")  # type: ignore[arg-type]
    tree.memory.relimit(incoming.config.memory_max_bytes)
    tree.fence.relimit(incoming.config.leaf_bytes)
    manifest.renew(tree.fds["manifest"], tree.config.run_dir, incoming.manifest or b"")
    # A turn that nobody took the last time is nobody's now.
    tree.recorder.header[HeaderWord.TURNS_GIVEN] = tree.recorder.word(HeaderWord.TURNS_TAKEN)
    for child in tree.children.workers():
        if tree.generations.outdated(child.generation):
            _outdate(tree, child, now_ns)
    roles = [child for child in tree.children.roles() if _follows(tree, child)]
    for name in [f"{WORKER} {seat.slot}" for seat in tree.recorder.seats] + [child.role for child in roles]:
        tree.restarts.renewed(name)
    _log.info(log.RELOAD_COMMITTED, generation=incoming.number, workers=len(tree.outdated()))


def _outdate(tree: Tree, child: Child, now_ns: int) -> None:
    child.outdated_ns = child.outdated_ns or now_ns
    if child.state is ChildState.SERVING:
        tree.seat(child).page.set_control(control_bits(tree, child))
    elif not child.served_ns:
        step_child(tree, child, ChildEvent.RETIRE, now_ns)


def turn(tree: Tree, now_ns: int) -> None:
    """Give the next turn to leave if it is time, replace the roles, end jobs that have outstayed."""
    _replace_roles(tree, now_ns)
    old = tree.outdated()
    if not old:
        return
    for child in old:
        overstayed = now_ns - child.outdated_ns >= tree.config.reload_timeout_s * SECOND
        if overstayed and _busy(tree, child):
            if tree.endings.intent(child.incarnation) is None:
                _log.warning(log.JOB_OUTSTAYED, slot=child.slot, child=child.pid, generation=child.generation)
            tree.endings.end(child, RELEASED, now_ns)
    serving = [child for child in tree.children.workers() if _in_place(tree, child)]
    shown = [_shown(tree, child) for child in serving]
    # One that has just had its GO is not there yet.
    at_work, leaving = sum(Phase.IDLE <= each < Phase.LEAVING for each in shown), shown.count(Phase.LEAVING)
    header = tree.recorder.header
    given, taken = header[HeaderWord.TURNS_GIVEN], header[HeaderWord.TURNS_TAKEN]
    if generations.may_leave(given=given, taken=taken, serving=at_work, leaving=leaving, wanted=tree.wanted):
        header[HeaderWord.TURNS_GIVEN] = taken + 1
        for child in old:
            tree.post(child).send(Wake())


def settled(tree: Tree, now_ns: int) -> bool:
    """Whether nothing is left to wait for."""
    old = tree.outdated()
    busy = sum(_busy(tree, child) for child in old)
    return generations.settled(
        idle=len(old) - busy,
        busy=busy,
        roles_pending=_roles_pending(tree),
        short=sum(child.served_ns > 0 for child in tree.children.workers()) < tree.wanted,
        since_s=(now_ns - tree.outcome.committed_ns) / SECOND,
        patience_s=tree.timing.patience_s,
    )


def hopeless(tree: Tree, now_ns: int) -> str:
    """Why nothing more is to be waited for; "" while there is hope."""
    old, outcome = tree.outdated(), tree.outcome
    if len(old) != outcome.remaining:
        outcome.remaining, outcome.moved_ns = len(old), now_ns
    patience_s = tree.timing.patience_s
    if not generations.hopeless(
        idle=sum(not _busy(tree, child) for child in old),
        asked_again=tree.generations.wanted,
        since_s=(now_ns - outcome.moved_ns) / SECOND,
        patience_s=patience_s,
        bound_s=tree.config.reload_timeout_s + patience_s,
    ):
        return ""
    why = tree.last_error.get(WORKER, "") or "the log says more"
    return f"{len(old)} old workers stay, since not enough new ones come to serve in their places ({why})"


def _in_place(tree: Tree, child: Child) -> bool:
    """It counts as one of those that are wanted; a process that nothing can end does not."""
    if child.trial or child.leaving or child.state is not ChildState.SERVING:
        return False
    return child.detail != "stuck" and not tree.endings.stuck(child.incarnation)


def _shown(tree: Tree, child: Child) -> int:
    """What its page says that it does; whatever bytes a job may have left there."""
    page = tree.seat(child).page
    return page.phase if page.incarnation == child.incarnation else Phase.VACANT


def _busy(tree: Tree, child: Child) -> bool:
    return tree.seat(child).page.overdue_run()[0] != 0


def _follows(tree: Tree, child: Child) -> bool:
    """A role that knows the app's jobs, and so has to follow each generation."""
    return not child.trial and "manifest" in tree.spec(child.role).needs


def _roles_pending(tree: Tree) -> int:
    names = [spec.name for spec in tree.cast.roles if "manifest" in spec.needs]
    present = [tree.children.role(name) for name in names]
    return sum(
        child is None or child.state is not ChildState.SERVING or tree.generations.outdated(child.generation)
        for child in present
    )


def _replace_roles(tree: Tree, now_ns: int) -> None:
    """The coordinator first: leases want renewing. Another when it serves, so that they don't compete."""
    coordinator = tree.children.role(COORDINATOR)
    for child in tree.children.roles():
        if not _follows(tree, child) or not tree.generations.outdated(child.generation):
            continue
        alone = child is coordinator or (
            coordinator is not None
            and coordinator.state is ChildState.SERVING
            and not tree.generations.outdated(coordinator.generation)
        )
        if alone and child.state in _ALIVE:
            child.reason = ""
            step_child(tree, child, ChildEvent.RETIRE, now_ns)

"""Doing what the state tables ask: step a child or the whole tree, and act.

The only place where a state of either table changes. What an event is, loop.py and mail.py find out; nothing
here waits.
"""

import contextlib
import os
import signal
from collections.abc import Callable

from gangerd import log
from gangerd.linux.channel import Closed
from gangerd.linux.reaping import Reaped
from gangerd.master import births, lifecycle
from gangerd.master.cast import COORDINATOR
from gangerd.master.children import Child
from gangerd.master.lifecycle import (
    ChildAction,
    ChildEvent,
    ChildState,
    System,
    SystemAction,
    SystemEvent,
)
from gangerd.master.restarts import SECOND, WORKER_PACE
from gangerd.master.tree import Tree
from gangerd.messages import Drain, Go, Left, Wake
from gangerd.recorder import Control

_log = log.get()


def step_child(
    tree: Tree, child: Child, event: ChildEvent, now_ns: int, reaped: Reaped | None = None
) -> None:
    """One event of a child's life. `reaped` comes with DIED and only with it."""
    state, actions = lifecycle.step_child(child.state, event)
    if event is ChildEvent.RETIRE:
        child.in_order = True  # if it ends well, that is no death
    if state is not child.state:
        child.enter(state, now_ns, _deadline(tree, child, state, now_ns))
    for action in actions:
        if action is ChildAction.BURY:
            _bury(tree, child, reaped, now_ns)
        else:
            _CHILD_ACTIONS[action](tree, child, now_ns)


def step_system(tree: Tree, event: SystemEvent, now_ns: int) -> None:
    state, actions = lifecycle.step_system(tree.system, event)
    tree.system = state
    for action in actions:
        _SYSTEM_ACTIONS[action](tree, now_ns)


def _deadline(tree: Tree, child: Child, state: ChildState, now_ns: int) -> int | None:
    if state is ChildState.STARTING:
        return child.deadline_ns  # set before the fork, for the whole birth
    if state is ChildState.DOOMED:
        return now_ns + int(tree.timing.doomed_s * SECOND)
    if state is ChildState.RETIRING and not child.is_worker:
        return now_ns + int(tree.spec(child.role).leave_s * SECOND)
    return None  # a worker's time to retire is its job's, or the drain's


# what a child's table asks for


def control_bits(tree: Tree, child: Child) -> int:
    """The control word of a serving worker."""
    return (0 if tree.quiet else Control.MAY_CLAIM) | (Control.YIELD if child.outdated_ns else 0)


def _serve(tree: Tree, child: Child, now_ns: int) -> None:
    child.served_ns = now_ns
    if not child.trial:
        tree.served.add(child.role)
        tree.last_error.pop(child.role, None)
    if child.is_worker:
        tree.seat(child).page.set_control(control_bits(tree, child))
        tree.memory.born(child, now_ns)
        tree.leftovers.born(child, tree.seat(child).leaf)
        tree.post(child).send(Go())
        _log.info(
            log.WORKER_READY,
            slot=child.slot,
            worker=child.incarnation,
            child=child.pid,
            generation=child.generation,
        )
        return
    _log.info(log.ROLE_READY, role=child.role, child=child.pid, detail=child.detail)
    if child.role == COORDINATOR:
        tree.deaths.resend_all()


def _ask_to_leave(tree: Tree, child: Child, now_ns: int) -> None:
    if child.is_worker:
        tree.seat(child).page.set_control(Control.RETIRE)
        tree.post(child).send(Wake())
    else:
        tree.post(child).send(Drain(successor=tree.system is System.SERVING))


def _abandon(tree: Tree, child: Child, now_ns: int) -> None:
    if not child.in_order:
        _log.warning(log.WORKER_SPAWN_FAILED, slot=child.slot, worker=child.incarnation, error=child.reason)
        child.reason = child.reason or "the template could not fork it"
        note_failed_birth(tree, child, now_ns)
    forget(tree, child)


def _kill(tree: Tree, child: Child, now_ns: int) -> None:
    if child.reason:
        if not child.trial:
            tree.last_error[child.role] = child.reason
        _log.error(log.ROLE_REPLACED, role=child.role, slot=child.slot, child=child.pid, error=child.reason)
    try:
        os.kill(child.pid, signal.SIGKILL)
    except ProcessLookupError:  # ended a moment ago; the reaper has yet to see it
        return


def _stuck(tree: Tree, child: Child, now_ns: int) -> None:
    child.deadline_ns = None
    child.detail = "stuck"
    _log.error(log.WORKER_STUCK, role=child.role, slot=child.slot, child=child.pid)


def _bury(tree: Tree, child: Child, reaped: Reaped | None, now_ns: int) -> None:
    assert reaped is not None, "only a reaped child is buried"
    if child.is_worker:
        _bury_worker(tree, child, reaped, now_ns)
    else:
        _bury_role(tree, child, reaped, now_ns)
    forget(tree, child)


def _bury_worker(tree: Tree, child: Child, reaped: Reaped, now_ns: int) -> None:
    if child.in_order and not child.served_ns:
        return  # not needed any more, before it could touch anything
    burial = tree.undertaker.bury(child, reaped, at_ms=tree.wall_ms(), now_ns=now_ns)
    child.died_in_job = burial.in_job
    if child.in_order and burial.death is None:
        _log.info(log.WORKER_LEFT, slot=child.slot, worker=child.incarnation, reason=child.reason)
        _tell_left(tree, Left(child.incarnation, burial.counters))
    elif not burial.in_job:
        child.reason = f"worker {child.slot} died outside a job: {burial.cause}"
        note_failed_birth(tree, child, now_ns)


def _tell_left(tree: Tree, left: Left) -> None:
    """What a leaver counted last goes to a coordinator that is there to hear it."""
    coordinator = tree.children.role(COORDINATOR)
    if coordinator is not None and coordinator.state in (ChildState.SERVING, ChildState.RETIRING):
        with contextlib.suppress(Closed):
            tree.post(coordinator).send(left)


def _bury_role(tree: Tree, child: Child, reaped: Reaped, now_ns: int) -> None:
    if tree.system is System.CLOSING or (child.in_order and reaped.exit_code == 0):
        return
    how = f"signal {reaped.signal}" if reaped.signal else f"exit code {reaped.exit_code}"
    _log.error(log.ROLE_DIED, role=child.role, child=child.pid, how=how)
    if not child.reason:
        child.reason = tree.last_error.get(child.role, "") or f"it ended with {how}"
    note_failed_birth(tree, child, now_ns)


def note_failed_birth(tree: Tree, child: Child, now_ns: int) -> None:
    """A death that is nobody's job's: the place pauses, and a tree that never stood may have to give up. What
    was on trial has no place: its death is the reload's affair."""
    if child.trial:
        return
    tree.last_error[child.role] = child.reason
    lived_ns = now_ns - child.served_ns if child.served_ns else 0
    pace = WORKER_PACE if child.is_worker else tree.spec(child.role).pace
    tree.restarts.died(births.place(child), pace, lived_ns, now_ns)
    if child.role in tree.served or tree.system is not System.STARTING:
        return
    count = tree.failed_births[child.role] = tree.failed_births.get(child.role, 0) + 1
    if count >= tree.timing.first_tries:
        why = tree.last_error.get(child.role, "")
        error = f"the {child.role} could not be started ({count} tries): {why}"
        _log.error(log.START_FAILED, error=error, exit_code=1)
        fail(tree, 1, now_ns)


def fail(tree: Tree, exit_code: int, now_ns: int) -> None:
    """Nothing was ever served and the reason, which the log has, is not one that goes away: end."""
    if tree.system is System.STARTING:
        tree.exit_code = exit_code
        step_system(tree, SystemEvent.FAILED, now_ns)


def forget(tree: Tree, child: Child) -> None:
    child.state = ChildState.GONE
    tree.children.remove(child)
    mailbox = tree.mail.pop(child.incarnation)
    if mailbox.garbage:
        _log.warning(log.GARBAGE_RECEIVED, role=child.role, slot=child.slot, count=mailbox.garbage)
    if mailbox.strange:
        _log.warning(log.MESSAGE_UNEXPECTED, role=child.role, slot=child.slot, messages=mailbox.strange)
    mailbox.close()
    if child.is_worker:
        seat = tree.seat(child)
        # A sleeper that died must not be counted among those a ring can wake.
        tree.recorder.board.set_idle(child.slot, False)
        tree.leftovers.forget(child.incarnation)
        tree.fence.remove(seat.leaf)
        seat.leaf = ""


# what the system's table asks for


def _announce(tree: Tree, now_ns: int) -> None:
    _log.info(log.SERVING, workers=tree.wanted, generation=tree.generations.current)
    tree.notifier.ready()


def _retire_workers(tree: Tree, now_ns: int) -> None:
    timeout_s = tree.config.shutdown_timeout_s
    tree.drain_until_ns = now_ns + int(timeout_s * SECOND)
    _log.info(log.DRAINING, workers=tree.in_service(), shutdown_timeout_s=timeout_s)
    tree.notifier.stopping()
    for child in tree.children.workers():
        step_child(tree, child, ChildEvent.RETIRE, now_ns)


def _kill_workers(tree: Tree, now_ns: int) -> None:
    if tree.kill_sent_ns is None:
        tree.kill_sent_ns = now_ns
        _log.warning(log.FORCED, workers=len(tree.children.workers()))
    for child in tree.children.workers():
        if child.state in (ChildState.SERVING, ChildState.RETIRING):
            tree.endings.end(child, "released", now_ns)
        else:
            step_child(tree, child, ChildEvent.RETIRE, now_ns)


def close_roles(tree: Tree, now_ns: int) -> None:
    """Ask the next role to leave, when the one before has; called until the tree is gone."""
    alive = tree.children.roles()
    if any(child.state in (ChildState.RETIRING, ChildState.DOOMED) for child in alive):
        return
    order = {spec.name: index for index, spec in enumerate(tree.cast.roles)}
    if alive:
        last = max(alive, key=lambda child: order[child.role])
        if last.state is ChildState.STARTING and tree.spec(last.role).brittle:
            return
        # Another that never served has nothing to finish, and need not understand Drain yet.
        step_child(tree, last, ChildEvent.RETIRE, now_ns)
    elif not tree.children.workers() or tree.kill_sent_ns is not None:
        step_system(tree, SystemEvent.TREE_GONE, now_ns)


def _hurry_roles(tree: Tree, now_ns: int) -> None:
    for child in tree.children.roles():
        if child.state in (ChildState.STARTING, ChildState.RETIRING):
            step_child(tree, child, ChildEvent.OVERDUE, now_ns)


def _stop(tree: Tree, now_ns: int) -> None:
    _log.info(log.STOPPED, exit_code=tree.exit_code, undelivered_deaths=len(tree.deaths))


_CHILD_ACTIONS: dict[ChildAction, Callable[[Tree, Child, int], None]] = {
    ChildAction.SERVE: _serve,
    ChildAction.ASK_TO_LEAVE: _ask_to_leave,
    ChildAction.ABANDON: _abandon,
    ChildAction.KILL: _kill,
    ChildAction.STUCK: _stuck,
}
_SYSTEM_ACTIONS: dict[SystemAction, Callable[[Tree, int], None]] = {
    SystemAction.ANNOUNCE: _announce,
    SystemAction.RETIRE_WORKERS: _retire_workers,
    SystemAction.KILL_WORKERS: _kill_workers,
    SystemAction.CLOSE_ROLES: close_roles,
    SystemAction.HURRY_ROLES: _hurry_roles,
    SystemAction.STOP: _stop,
}

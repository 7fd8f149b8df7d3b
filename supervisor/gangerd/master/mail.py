"""What children say, translated into events of their lives; and the deaths, handed to the coordinator.

Each message is believed only from whom it may come (messages.py says who) and only for whom it speaks.
Called by the loop when a channel is readable, and before a child is buried: its last words count.
"""

import os
import signal

from gangerd import log, messages
from gangerd.linux import shared_memory
from gangerd.linux.channel import Closed, MessageTooLarge
from gangerd.linux.descriptors import close_all
from gangerd.linux.reaping import Reaped
from gangerd.master import manifest
from gangerd.master.actions import fail, forget, step_child
from gangerd.master.cast import COORDINATOR, TEMPLATE
from gangerd.master.children import Child
from gangerd.master.ending import CANCELLED, PERMIT_LOST
from gangerd.master.lifecycle import ChildEvent, ChildState
from gangerd.master.restarts import SECOND
from gangerd.master.spawning import is_child
from gangerd.master.tree import Tree

LAST_READS = 8
"""How much of its mail is read before a child is buried: several times what a channel holds."""

_log = log.get()


def read(tree: Tree, child: Child, now_ns: int) -> bool:
    """Take in what this child has said, a bounded part of it: the loop comes back for more, and a job that
    talks without end must not keep it from the others. False when nothing more can come."""
    mailbox = tree.mail.get(child.incarnation)
    if mailbox is None:
        return False
    received, closed = mailbox.receive()
    for message, fds in received:
        _take(tree, child, message, fds, now_ns)
    return not closed


def _take(tree: Tree, child: Child, message: messages.Message, fds: tuple[int, ...], now_ns: int) -> None:
    """One message; whatever descriptors it brings belong to nobody unless it is the manifest."""
    if child.role == TEMPLATE and isinstance(message, messages.TemplateReady):
        _template_ready(tree, child, message, fds, now_ns)
        return
    close_all(fds)
    if child.is_worker:
        understood = _from_worker(tree, child, message, now_ns)
    elif child.role == TEMPLATE:
        understood = _from_template(tree, child, message, now_ns)
    else:
        understood = _from_role(tree, child, message, now_ns)
    if not understood:
        tree.post(child).unexpected(type(message).__name__)


def _from_worker(tree: Tree, child: Child, message: messages.Message, now_ns: int) -> bool:
    match message:
        case messages.Ready(incarnation=child.incarnation):
            pid = tree.post(child).sender_pid
            if child.pid == 0 and pid:
                _born(tree, child, pid, now_ns)
            step_child(tree, child, ChildEvent.STANDS, now_ns)
        case messages.Leaving(incarnation=child.incarnation, reason=reason):
            child.in_order = child.leaving = True
            child.reason = reason
        case _:
            return False
    return True


def _from_template(tree: Tree, child: Child, message: messages.Message, now_ns: int) -> bool:
    match message:
        case messages.Spawned(incarnation, pid):
            _spawned(tree, incarnation, pid, now_ns)
        case messages.SpawnFailed(incarnation, error):
            worker = tree.children.by_incarnation(incarnation)
            if worker is not None and worker.is_worker:
                worker.reason = error
                step_child(tree, worker, ChildEvent.DIED, now_ns)
        case messages.TemplateFailed(error, exit_code):
            _log.error(log.TEMPLATE_FAILED, error=error)
            _failed(tree, child, error, exit_code, now_ns)
        case _:
            return False
    return True


def _from_role(tree: Tree, child: Child, message: messages.Message, now_ns: int) -> bool:
    match message:
        case messages.RoleReady(detail=detail):
            child.detail = detail
            step_child(tree, child, ChildEvent.READY, now_ns)
        case messages.RoleFailed(error=error, exit_code=exit_code):
            _log.error(log.ROLE_FAILED, role=child.role, error=error)
            _failed(tree, child, error, exit_code, now_ns)
        case messages.DeathSettled(id=death):
            tree.deaths.settled(death)
        case messages.EndRun(worker=incarnation, run_seq=run_seq, cause=cause) if (
            child.role == COORDINATOR and cause in (CANCELLED, PERMIT_LOST)
        ):
            worker = tree.children.by_incarnation(incarnation)
            if worker is not None and worker.is_worker:
                tree.endings.end(worker, cause, now_ns, run_seq)
        case _:
            return False
    return True


def _failed(tree: Tree, child: Child, error: str, exit_code: int, now_ns: int) -> None:
    """It will exit by itself. One that has served before is simply tried again, at its pace; one on trial is
    not."""
    child.reason = error
    if child.trial:
        return
    tree.last_error[child.role] = error
    if child.role not in tree.served:
        fail(tree, exit_code, now_ns)


def _template_ready(
    tree: Tree, child: Child, message: messages.TemplateReady, fds: tuple[int, ...], now_ns: int
) -> None:
    said = shared_memory.read_all(fds[0]) if fds else b""
    close_all(fds)
    if child.trial:
        if tree.incoming is not None and tree.incoming.template is child:
            tree.incoming.manifest, tree.incoming.edition = said, message.edition
    else:
        tree.edition = tree.edition or message.edition
        coordinator = tree.children.role(COORDINATOR)
        renewed = bool(said) and manifest.renew(tree.fds["manifest"], tree.config.run_dir, said)
        if renewed and coordinator is not None:
            coordinator.reason = "the app's jobs are others than it was told"
            step_child(tree, coordinator, ChildEvent.OVERDUE, now_ns)
    child.detail = f"{message.types} types, imported in {message.import_ms} ms"
    for warning in message.warnings:
        _log.warning(log.TEMPLATE_WARNING, warning=warning)
    _log.info(
        log.TEMPLATE_READY,
        types=message.types,
        import_ms=message.import_ms,
        child=child.pid,
        generation=child.generation,
    )
    step_child(tree, child, ChildEvent.READY, now_ns)
    if child.trial:
        return
    for role in tree.children.roles():
        # It has waited for the manifest: its own time begins now.
        if role.state is ChildState.STARTING and role.deadline_ns is None:
            role.deadline_ns = now_ns + int(tree.spec(role.role).start_s * SECOND)


def _spawned(tree: Tree, incarnation: str, pid: int, now_ns: int) -> None:
    worker = tree.children.by_incarnation(incarnation)
    if worker is None:
        # Abandoned meanwhile. It will find its channel closed; should it hang before that, this ends it.
        if is_child(pid):
            os.kill(pid, signal.SIGKILL)
    elif worker.is_worker and worker.pid == 0:
        _born(tree, worker, pid, now_ns)


def _born(tree: Tree, worker: Child, pid: int, now_ns: int) -> None:
    """Its pid is known at last; it may be dead since long before anyone could say so."""
    tree.children.born(worker, pid)
    step_child(tree, worker, ChildEvent.BORN, now_ns)
    known_dead = next((reaped for reaped in reversed(tree.strays) if reaped.pid == pid), None)
    if known_dead is not None and not is_child(pid):
        tree.strays.remove(known_dead)
        died(tree, known_dead, now_ns)


def died(tree: Tree, reaped: Reaped, now_ns: int) -> None:
    """A child has been reaped: hear its last words, bury it, and tell those who depended on it."""
    child = tree.children.by_pid(reaped.pid)
    if child is None:
        tree.strays.append(reaped)
        _log.debug(log.STRAY_REAPED, child=reaped.pid, exit_code=reaped.exit_code, signal=reaped.signal)
        return
    for _ in range(LAST_READS):
        if not read(tree, child, now_ns):
            break
    if child.state is ChildState.GONE:
        return
    step_child(tree, child, ChildEvent.DIED, now_ns, reaped)
    if child.role == TEMPLATE:
        _orphan_the_unborn(tree, child.generation, now_ns)


def _orphan_the_unborn(tree: Tree, generation: int, now_ns: int) -> None:
    """Those the dead template had not brought forth. One that did get through has said READY by now or
    finds its channel closed."""
    for worker in tree.children.workers():
        if worker.generation != generation:
            continue
        if worker.state is ChildState.SPAWNING:
            read(tree, worker, now_ns)
        if worker.state is ChildState.SPAWNING:
            forget(tree, worker)


def deliver_deaths(tree: Tree) -> None:
    """Hand the coordinator what it has not been told; it answers each with DeathSettled."""
    coordinator = tree.children.role(COORDINATOR)
    if coordinator is None or coordinator.state not in (ChildState.SERVING, ChildState.RETIRING):
        return
    mailbox = tree.post(coordinator)
    for death in list(tree.deaths.unsent()):
        if mailbox.busy():
            return
        try:
            mailbox.send(death)
        except MessageTooLarge as error:
            _log.error(log.INTERNAL_ERROR, error=f"death {death.id}: {error}")
        except Closed:
            return
        tree.deaths.sent(death.id)

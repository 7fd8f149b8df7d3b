"""Who is missing, and may be born now: roles in their order, then workers in their slots.

Decides from the tree and the restart pauses, and starts what is due; when the rest is due is its answer.
Every birth has its deadline before the fork. Called by the loop at each turn.
"""

from collections.abc import Iterator

from gangerd import log
from gangerd.master import spawning
from gangerd.master.cast import COORDINATOR, TEMPLATE, RoleSpec
from gangerd.master.children import NO_SLOT, WORKER, Child
from gangerd.master.lifecycle import ChildState, System
from gangerd.master.mailbox import Mailbox
from gangerd.master.restarts import SECOND
from gangerd.master.tree import Tree, new_incarnation
from gangerd.messages import Spawn
from gangerd.recorder import HeaderWord

MOST_UNBORN = 16
"""Spawns asked of the template and not answered: a single process forks them one after the other."""

RESERVE = 1
"""Workers born beyond those wanted, to stand by (reserve.py)."""

_log = log.get()


def place(child: Child) -> str:
    """Its name in the memory of restarts."""
    return f"{WORKER} {child.slot}" if child.is_worker else child.role


def fill(tree: Tree, now_ns: int) -> int | None:
    """Start what is missing and due; the earliest instant at which more will be due, None for never."""
    later = [due for spec in _missing_roles(tree) if (due := _due(tree, spec.name, now_ns)) is not None]
    for spec in _missing_roles(tree):
        if _due(tree, spec.name, now_ns) is None:
            _start_role(tree, spec, now_ns)
    for slot in _missing_slots(tree):
        due = _due(tree, f"{WORKER} {slot}", now_ns)
        if due is not None:
            later.append(due)
        elif not _ask_for_worker(tree, slot, now_ns):
            break
    return min(later, default=None)


def _due(tree: Tree, name: str, now_ns: int) -> int | None:
    """When it may be started, None for now."""
    due = tree.restarts.due_ns(name, now_ns)
    return due if due > now_ns else None


def _missing_roles(tree: Tree) -> list[RoleSpec]:
    """Those that should live, do not, and need wait for nobody."""
    if tree.system in (System.CLOSING, System.ENDED):
        return []
    ending = tree.system in (System.DRAINING, System.KILLING)
    missing = []
    for spec in tree.cast.roles:
        # While we end only what is needed to settle is replaced, and nothing is begun.
        wanted = not ending or (spec.name in tree.served and spec.name != TEMPLATE)
        if wanted and tree.children.role(spec.name) is None and spec.after <= tree.served:
            missing.append(spec)
    return missing


def _missing_slots(tree: Tree) -> Iterator[int]:
    """Free slots to fill, lowest first. A process the kernel can't end keeps its slot and is not counted."""
    template = tree.children.role(TEMPLATE)
    if tree.system not in (System.STARTING, System.SERVING) or template is None:
        return
    if template.state is not ChildState.SERVING or not tree.cast.workers_after <= tree.served:
        return
    workers = tree.children.workers()
    stuck = sum(child.detail == "stuck" or tree.endings.stuck(child.incarnation) for child in workers)
    unborn = sum(child.state is ChildState.SPAWNING for child in workers)
    wanted = tree.wanted + RESERVE
    missing = min(wanted - (len(workers) - stuck), MOST_UNBORN - unborn)
    for slot in range(min(wanted + stuck, len(tree.recorder.seats))):
        if missing <= 0:
            return
        if tree.children.in_slot(slot) is None:
            missing -= 1
            yield slot


def _start_role(tree: Tree, spec: RoleSpec, now_ns: int) -> None:
    child = Child(
        spec.name, NO_SLOT, new_incarnation(), tree.generations.current, ChildState.STARTING, now_ns
    )
    shared = {name: fd for name, fd in tree.fds.items() if name in spec.needs or name == "config"}
    extra = {spawning.ENV_ROLE: spec.name, spawning.ENV_WORKER: tree.cast.worker_module}
    tree.restarts.spawned(spec.name, now_ns)
    try:
        child.pid, mailbox = spawning.start_role(spec.module, shared, tree.incarnation, extra)
    except OSError as error:
        tree.restarts.died(spec.name, spec.pace, 0, now_ns)
        tree.last_error[spec.name] = f"it could not be started: {error}"
        _log.error(log.ROLE_FAILED, role=spec.name, error=tree.last_error[spec.name])
        return
    start_s = tree.timing.import_s if spec.name == TEMPLATE else spec.start_s
    if "manifest" not in spec.needs or TEMPLATE in tree.served:
        child.deadline_ns = now_ns + int(start_s * SECOND)
    if spec.name == COORDINATOR:
        tree.watch.begin(tree.recorder.word(HeaderWord.COORDINATOR_AT_NS), now_ns)
    _adopt(tree, child, mailbox)
    _log.info(log.ROLE_STARTED, role=spec.name, child=child.pid, generation=child.generation)


def _ask_for_worker(tree: Tree, slot: int, now_ns: int) -> bool:
    """False when there is no use asking for another now."""
    template = tree.children.role(TEMPLATE)
    seat = tree.recorder.seats[slot]
    assert template is not None
    child = Child(WORKER, slot, new_incarnation(), template.generation, ChildState.SPAWNING, now_ns)
    seat.leaf = tree.fence.leaf(child.incarnation)
    spawn = Spawn(slot, child.incarnation, child.generation, seat.leaf)
    name = place(child)
    tree.restarts.spawned(name, now_ns)
    try:
        mailbox = spawning.ask_for_worker(tree.post(template), spawn, seat.crash_fd)
    except OSError as error:
        _log.error(log.WORKER_SPAWN_FAILED, slot=slot, error=str(error))
        tree.last_error[WORKER] = str(error)
        tree.fence.remove(seat.leaf)
        seat.leaf = ""
        return False
    birth_s = tree.timing.birth_s if tree.config.preload else tree.timing.import_s
    child.deadline_ns = now_ns + int(birth_s * SECOND)
    seat.page.set_control(0)
    _adopt(tree, child, mailbox)
    return True


def _adopt(tree: Tree, child: Child, mailbox: Mailbox) -> None:
    tree.children.add(child)
    tree.mail[child.incarnation] = mailbox
    tree.newborn_mail.append(child)

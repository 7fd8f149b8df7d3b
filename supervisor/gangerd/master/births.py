"""Who is missing, and may be born now: roles in their order, then workers in their slots.

Decides from the tree and the restart pauses, and starts what is due; when the rest is due is its answer.
Every birth has its deadline before the fork. Called by the loop at each turn.
"""

from collections.abc import Iterator, Mapping

from gangerd import log
from gangerd.master import spawning
from gangerd.master.cast import COORDINATOR, TEMPLATE, RoleSpec
from gangerd.master.children import NO_SLOT, WORKER, Child
from gangerd.master.incoming import Incoming
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
    template = tree.children.role(TEMPLATE)
    for slot in _missing_slots(tree, template):
        due = _due(tree, f"{WORKER} {slot}", now_ns)
        if due is not None:
            later.append(due)
        elif template is None or _ask_for_worker(tree, slot, template, now_ns) is None:
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


def _missing_slots(tree: Tree, template: Child | None) -> Iterator[int]:
    """Free slots to fill, lowest first. A process the kernel can't end keeps its slot and is not counted."""
    if tree.system not in (System.STARTING, System.SERVING) or template is None:
        return
    if template.state is not ChildState.SERVING or not tree.cast.workers_after <= tree.served:
        return
    workers = [child for child in tree.children.workers() if not child.trial]
    stuck = sum(child.detail == "stuck" or tree.endings.stuck(child.incarnation) for child in workers)
    unborn = sum(child.state is ChildState.SPAWNING for child in workers)
    wanted = tree.places() + RESERVE
    missing = min(wanted - (len(workers) - stuck), MOST_UNBORN - unborn)
    for slot in range(len(tree.recorder.seats)):
        if missing <= 0:
            return
        if tree.children.in_slot(slot) is None:
            missing -= 1
            yield slot


def start_template(tree: Tree, incoming: Incoming, now_ns: int) -> None:
    """The incoming generation's, on trial beside the one in force."""
    child = Child(TEMPLATE, NO_SLOT, new_incarnation(), incoming.number, ChildState.STARTING, now_ns)
    child.trial = True
    incoming.template = child
    _start(tree, tree.spec(TEMPLATE), child, {**tree.fds, "config": incoming.config_fd}, now_ns)


def bear_canary(tree: Tree, template: Child, now_ns: int) -> Child | None:
    """The first worker of a template on trial, in the last free seat; None while there is none."""
    free = [seat.slot for seat in tree.recorder.seats if tree.children.in_slot(seat.slot) is None]
    return _ask_for_worker(tree, free[-1], template, now_ns) if free else None


def _start_role(tree: Tree, spec: RoleSpec, now_ns: int) -> None:
    child = Child(
        spec.name, NO_SLOT, new_incarnation(), tree.generations.current, ChildState.STARTING, now_ns
    )
    tree.restarts.spawned(spec.name, now_ns)
    if not _start(tree, spec, child, tree.fds, now_ns):
        tree.restarts.died(spec.name, spec.pace, 0, now_ns)
        tree.last_error[spec.name] = child.reason


def _start(tree: Tree, spec: RoleSpec, child: Child, fds: Mapping[str, int], now_ns: int) -> bool:
    shared = {name: fd for name, fd in fds.items() if name in spec.needs or name == "config"}
    extra = {spawning.ENV_ROLE: spec.name, spawning.ENV_WORKER: tree.cast.worker_module}
    try:
        child.pid, mailbox = spawning.start_role(spec.module, shared, tree.incarnation, extra)
    except OSError as error:
        child.state = ChildState.GONE
        child.reason = f"it could not be started: {error}"
        _log.error(log.ROLE_FAILED, role=spec.name, error=child.reason)
        return False
    start_s = tree.timing.import_s if spec.name == TEMPLATE else spec.start_s
    if "manifest" not in spec.needs or TEMPLATE in tree.served:
        child.deadline_ns = now_ns + int(start_s * SECOND)
    if spec.name == COORDINATOR:
        tree.watch.begin(tree.recorder.word(HeaderWord.COORDINATOR_AT_NS), now_ns)
    _adopt(tree, child, mailbox)
    _log.info(log.ROLE_STARTED, role=spec.name, child=child.pid, generation=child.generation)
    return True


def _ask_for_worker(tree: Tree, slot: int, template: Child, now_ns: int) -> Child | None:
    """The child to come; None when there is no use asking for another now."""
    seat = tree.recorder.seats[slot]
    child = Child(WORKER, slot, new_incarnation(), template.generation, ChildState.SPAWNING, now_ns)
    child.trial = template.trial
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
        return None
    child.deadline_ns = now_ns + int(birth_s(tree, child.trial) * SECOND)
    seat.page.set_control(0)
    _adopt(tree, child, mailbox)
    return child


def birth_s(tree: Tree, trial: bool) -> float:
    """How long a worker may take from the wish for it to its READY."""
    config = tree.incoming.config if trial and tree.incoming is not None else tree.config
    return tree.timing.birth_s if config.preload else tree.timing.import_s


def _adopt(tree: Tree, child: Child, mailbox: Mailbox) -> None:
    tree.children.add(child)
    tree.mail[child.incarnation] = mailbox
    tree.newborn_mail.append(child)

"""The reserve: a worker that is born and ready, and waits for the GO that the next death, or the next leave,
will give it.

A fork of a big app takes tens of milliseconds, joining a memory cgroup up to as many; a worker killed by
its job is replaced without either. What stands by has touched neither its page nor Redis, so its own death
costs nothing. One that has said it leaves takes no more work: its place is free before its process is gone,
which the app's stop hooks may hold up. A place whose worker died outside a job stays empty for its pause,
reserve or not.
Called by the loop at each turn, before births.py fills the gap in the reserve.
"""

from gangerd.master.actions import step_child
from gangerd.master.children import WORKER, Child
from gangerd.master.lifecycle import ChildEvent, ChildState, System
from gangerd.master.tree import Tree

_UNCALLED = (ChildState.SPAWNING, ChildState.STARTING, ChildState.STANDBY)


def call_up(tree: Tree, now_ns: int) -> None:
    """Give GO to as many of those who stand by as places are free, lowest slot first."""
    if tree.system not in (System.STARTING, System.SERVING):
        return
    workers = [child for child in tree.children.workers() if not child.trial]
    standing = sorted((each for each in workers if each.state is ChildState.STANDBY), key=_slot)
    if not standing:
        return
    stuck = sum(child.detail == "stuck" or tree.endings.stuck(child.incarnation) for child in workers)
    taken = sum(child.state not in _UNCALLED and not child.leaving for child in workers) - stuck
    free = tree.places() - taken - _pausing(tree, now_ns)
    for child in standing[: max(free, 0)]:
        step_child(tree, child, ChildEvent.CALLED, now_ns)


def _pausing(tree: Tree, now_ns: int) -> int:
    """Empty slots that a death outside a job has left, and whose pause is not over."""
    return sum(
        tree.children.in_slot(seat.slot) is None and tree.restarts.pauses(f"{WORKER} {seat.slot}", now_ns)
        for seat in tree.recorder.seats
    )


def _slot(child: Child) -> int:
    return child.slot

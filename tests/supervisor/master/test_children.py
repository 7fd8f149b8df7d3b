"""The process table: facts go in, and are found by every index."""

import pytest

from gangerd.master.children import NO_SLOT, WORKER, Child, Children
from gangerd.master.lifecycle import ChildState


def child(role: str = WORKER, slot: int = 0, incarnation: str = "a" * 16, pid: int = 0) -> Child:
    return Child(role, slot, incarnation, 1, ChildState.SPAWNING, 0, pid)


def test_a_child_is_found_by_whatever_is_known_of_it() -> None:
    children = Children()
    worker, role = child(slot=3), child("scheduler", NO_SLOT, "b" * 16, 77)
    children.add(worker)
    children.add(role)
    assert children.in_slot(3) is worker and children.by_incarnation("a" * 16) is worker
    assert children.by_pid(77) is role and children.role("scheduler") is role
    assert children.by_pid(0) is None
    children.born(worker, 78)
    assert children.by_pid(78) is worker
    assert children.workers() == [worker] and children.roles() == [role] and len(children) == 2


def test_what_is_removed_is_found_no_more() -> None:
    children = Children()
    worker = child()
    children.add(worker)
    children.born(worker, 78)
    children.remove(worker)
    assert children.in_slot(0) is None and children.by_pid(78) is None and len(children) == 0


def test_a_slot_and_a_role_are_taken_once() -> None:
    children = Children()
    children.add(child(incarnation="a" * 16))
    with pytest.raises(ValueError, match="worker 0"):
        children.add(child(incarnation="b" * 16))
    children.add(child("scheduler", NO_SLOT, "c" * 16))
    with pytest.raises(ValueError, match="scheduler"):
        children.add(child("scheduler", NO_SLOT, "d" * 16))


def test_workers_come_in_the_order_of_their_slots() -> None:
    children = Children()
    for slot in (2, 0, 1):
        children.add(child(slot=slot, incarnation=f"{slot:016x}"))
    assert [worker.slot for worker in children.workers()] == [0, 1, 2]


def test_one_on_trial_takes_a_roles_place_only_when_it_is_promoted() -> None:
    children = Children()
    old = child("template", NO_SLOT, "a" * 16, 70)
    new = child("template", NO_SLOT, "b" * 16, 71)
    new.trial = True
    children.add(old)
    children.add(new)
    assert children.role("template") is old and children.roles() == [old, new]
    children.promote(new)
    assert children.role("template") is new and not new.trial
    children.remove(old)
    assert children.role("template") is new and children.by_pid(70) is None

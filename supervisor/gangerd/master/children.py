"""The process table: who lives, by slot, pid, incarnation and role.

Holds facts only. It makes no system call and decides nothing: lifecycle.py says what a state means and what
follows an event, loop.py acts.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gangerd.master.lifecycle import ChildState

WORKER = "worker"
NO_SLOT = -1


@dataclass(slots=True)
class Child:
    """One process of ours, from the wish for it until it is buried.

    Instants are monotonic. `pid` is 0 while nobody has told it yet: a worker is forked by the template.
    `served_ns` is when its service began (a worker's GO), 0 before.
    `in_order` says it was asked to leave or announced it, `leaving` that it takes no more work; `reason` is
    why it is being ended, for the log. `trial`: of a generation that has yet to prove itself, so it stands in
    nobody's place. `outdated_ns`: since when a newer generation is the current one, 0 while its own is.
    `died_in_job`: known when it is buried."""

    role: str
    slot: int
    incarnation: str
    generation: int
    state: ChildState
    since_ns: int
    pid: int = 0
    deadline_ns: int | None = None
    served_ns: int = 0
    in_order: bool = False
    leaving: bool = False
    reason: str = ""
    detail: str = ""
    trial: bool = False
    outdated_ns: int = 0
    died_in_job: bool = False

    @property
    def is_worker(self) -> bool:
        return self.role == WORKER

    def enter(self, state: ChildState, now_ns: int, deadline_ns: int | None = None) -> None:
        self.state, self.since_ns, self.deadline_ns = state, now_ns, deadline_ns


class Children:
    """Every child that is not GONE, and the indexes to find it by."""

    def __init__(self) -> None:
        self._by_incarnation: dict[str, Child] = {}
        self._by_pid: dict[int, Child] = {}
        self._by_slot: dict[int, Child] = {}
        self._by_role: dict[str, Child] = {}

    def add(self, child: Child) -> None:
        """Raises ValueError when its slot or role is taken: a mistake of the caller."""
        taken = child.slot in self._by_slot if child.is_worker else child.role in self._by_role
        if taken and (child.is_worker or not child.trial):
            raise ValueError(f"{child.role} {child.slot} is there already")
        self._by_incarnation[child.incarnation] = child
        if child.is_worker:
            self._by_slot[child.slot] = child
        elif not child.trial:
            self._by_role[child.role] = child
        if child.pid:
            self._by_pid[child.pid] = child

    def born(self, child: Child, pid: int) -> None:
        """Its pid has become known."""
        child.pid = pid
        self._by_pid[pid] = child

    def promote(self, child: Child) -> None:
        """Its trial is over: a role takes its place; whoever had it is one of the children still."""
        child.trial = False
        if not child.is_worker:
            self._by_role[child.role] = child

    def remove(self, child: Child) -> None:
        self._by_incarnation.pop(child.incarnation, None)
        self._by_pid.pop(child.pid, None)
        if child.is_worker:
            self._by_slot.pop(child.slot, None)
        elif self._by_role.get(child.role) is child:
            del self._by_role[child.role]

    def by_incarnation(self, incarnation: str) -> Child | None:
        return self._by_incarnation.get(incarnation)

    def by_pid(self, pid: int) -> Child | None:
        return self._by_pid.get(pid)

    def in_slot(self, slot: int) -> Child | None:
        return self._by_slot.get(slot)

    def role(self, name: str) -> Child | None:
        return self._by_role.get(name)

    def workers(self) -> list[Child]:
        """By slot."""
        return [self._by_slot[slot] for slot in sorted(self._by_slot)]

    def roles(self) -> list[Child]:
        """All of them: those on trial, and those whose place another has taken."""
        return [child for child in self._by_incarnation.values() if not child.is_worker]

    def __iter__(self) -> Iterator[Child]:
        return iter(list(self._by_incarnation.values()))

    def __len__(self) -> int:
        return len(self._by_incarnation)

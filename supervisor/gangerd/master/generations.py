"""Generations: each import of the app is one, an integer counted from 1; and the reload that brings the next.

    RESTING --begin--> CHECKING --checked--> IMPORTING --imported--> CANARY --passed--> ROLLING --settled--.
       ^                  |refused               |failed               |failed                             |
       '------------------'----------------------'---------------------'-----------------------------------'

Pure: no clock, no I/O; reloading.py does what the actions say. Until the canary has passed the old generation
is the current one and a failure costs nothing; from then on there is no way back, for then old workers leave.
A template that dies is replaced within its generation. Numbers are never used again, so that a crash record
names one import, also one that failed. What is asked for while a reload is under way is remembered once."""

from dataclasses import dataclass
from enum import Enum, auto

from gangerd.master.lifecycle import ChildState


class Phase(Enum):
    """How far the reload under way has come."""

    RESTING = "resting"
    CHECKING = "checking"
    IMPORTING = "importing"
    CANARY = "canary"
    ROLLING = "rolling"


class Event(Enum):
    BEGIN = auto()
    """The tree serves, so what was asked for may be begun."""
    CHECKED = auto()
    IMPORTED = auto()
    PASSED = auto()
    SETTLED = auto()
    FAILED = auto()
    """The settings, the import or the canary are no good; or not enough new workers come for the old to
    leave."""
    ENDING = auto()
    """The whole tree is about to end."""


class Action(Enum):
    CHECK = auto()
    IMPORT = auto()
    """Start the new template."""
    BEAR_CANARY = auto()
    COMMIT = auto()
    """The new generation is the current one: old workers leave one by one."""
    FINISH = auto()
    GIVE_UP = auto()
    """Take back what was begun; the old generation goes on."""


_P, _E, _A = Phase, Event, Action
RELOAD: dict[tuple[Phase, Event], tuple[Phase, tuple[Action, ...]]] = {
    (_P.RESTING, _E.BEGIN): (_P.CHECKING, (_A.CHECK,)),
    (_P.CHECKING, _E.CHECKED): (_P.IMPORTING, (_A.IMPORT,)),
    (_P.CHECKING, _E.FAILED): (_P.RESTING, (_A.GIVE_UP,)),
    (_P.CHECKING, _E.ENDING): (_P.RESTING, (_A.GIVE_UP,)),
    (_P.IMPORTING, _E.IMPORTED): (_P.CANARY, (_A.BEAR_CANARY,)),
    (_P.IMPORTING, _E.FAILED): (_P.RESTING, (_A.GIVE_UP,)),
    (_P.IMPORTING, _E.ENDING): (_P.RESTING, (_A.GIVE_UP,)),
    (_P.CANARY, _E.PASSED): (_P.ROLLING, (_A.COMMIT,)),
    (_P.CANARY, _E.FAILED): (_P.RESTING, (_A.GIVE_UP,)),
    (_P.CANARY, _E.ENDING): (_P.RESTING, (_A.GIVE_UP,)),
    (_P.ROLLING, _E.SETTLED): (_P.RESTING, (_A.FINISH,)),
    # The new generation is in force; that its last workers never came is the drain's doing, or its own.
    (_P.ROLLING, _E.ENDING): (_P.RESTING, (_A.GIVE_UP,)),
    (_P.ROLLING, _E.FAILED): (_P.RESTING, (_A.GIVE_UP,)),
}


@dataclass(slots=True)
class Generations:
    """`current` is what new workers belong to, `newest` the last number given.

    `asks` counts what was asked for, `taken` is how many of these the reload under way (or the last one)
    answers, `answered` how many have their answer."""

    current: int = 1
    newest: int = 1
    phase: Phase = Phase.RESTING
    asks: int = 0
    taken: int = 0
    answered: int = 0

    def outdated(self, generation: int) -> bool:
        return generation < self.current

    @property
    def wanted(self) -> bool:
        """A reload was asked for that none under way answers."""
        return self.asks > self.taken

    def ask(self) -> bool:
        """Whether this is news: another of a storm, while one is remembered already, is not."""
        news = not self.wanted
        self.asks += 1
        return news

    def step(self, event: Event) -> tuple[Action, ...]:
        """What is to be done. A pair that is not in the table can't matter."""
        if event is Event.BEGIN and not self.wanted:
            return ()
        self.phase, actions = RELOAD.get((self.phase, event), (self.phase, ()))
        for action in actions:
            if action is Action.CHECK:
                self.taken = self.asks
                self.newest += 1
            elif action is Action.COMMIT:
                self.current = self.newest
            elif action in (Action.FINISH, Action.GIVE_UP):
                self.answered = self.taken
        return actions


@dataclass(frozen=True, slots=True)
class Canary:
    """What is to be seen of the new generation's first worker: `worked`, it has begun a job; `idle_for_s`,
    how long ago it was first seen to find none, None for never; `age_s` counts from the wish for it."""

    state: ChildState
    worked: bool
    idle_for_s: float | None
    age_s: float
    died_in_job: bool = False
    reason: str = ""


def judge(canary: Canary, idle_s: float, bound_s: float) -> tuple[Event | None, str]:
    """Whether it has passed: it is ready and able to claim, so it has begun a job, or looked for one, found
    none and lived on for idle_s. What a job does to it is the job's affair. None: not known yet."""
    if canary.state is ChildState.GONE:
        if canary.died_in_job:
            return Event.PASSED, ""
        return Event.FAILED, f"its first worker ended before it could claim a job: {canary.reason}"
    if canary.state is ChildState.DOOMED:
        return Event.FAILED, f"its first worker did not become ready: {canary.reason}"
    if canary.worked or (canary.idle_for_s is not None and canary.idle_for_s >= idle_s):
        return Event.PASSED, ""
    if canary.age_s >= bound_s:
        return Event.FAILED, f"its first worker was not able to claim a job within {bound_s:g} s"
    return None, ""


def may_leave(*, given: int, taken: int, serving: int, leaving: int, wanted: int) -> bool:
    """Whether one more of the old may be given its turn: the last turn was taken and its taker is gone from
    its place, and without this one as many as are wanted would still be able to claim (`serving`)."""
    return given <= taken and not leaving and serving > wanted


def settled(
    *, idle: int, busy: int, roles_pending: int, short: bool, since_s: float, patience_s: float
) -> bool:
    """Whether a reload is over. `idle` and `busy` count the old generation's workers without and with a job
    under way, `roles_pending` what still is to be replaced; `short`: fewer serve than should. After a while
    jobs under way are waited for no longer: their workers leave when these end."""
    if idle:
        return False
    return since_s >= patience_s or not (busy or roles_pending or short)


def hopeless(*, idle: int, asked_again: bool, since_s: float, patience_s: float, bound_s: float) -> bool:
    """Whether a reload that is not over will not be: workers of the old generation without a job are still
    there, and none has left for `since_s`, for no new ones come to take their places. Who asks for another
    meanwhile may have mended that, so it is not kept waiting."""
    return idle > 0 and since_s >= (patience_s if asked_again else bound_s)

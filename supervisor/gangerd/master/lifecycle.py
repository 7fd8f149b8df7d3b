"""The two state tables of the master: what the whole tree is about, and how each child lives.

Pure: a state and an event give the next state and the names of what is to be done; loop.py does it. A state
never says *why* it was entered: reasons are kept beside it (Child.reason, the exit code). A pair that is not
in a table can't matter: the state stays and nothing is done.

    STARTING --up--> SERVING --drain--> DRAINING --timeout, drain--> KILLING
        |                                   |                           |
        |--drain---------------------------'|----- workers gone --------'
        '--failed--> DRAINING               v
                                        CLOSING --tree gone--> ENDED

    SPAWNING --born--> STARTING --stands--> STANDBY --called--> SERVING --retire--> RETIRING
        |                  |  '----- ready (a role) ----------->   |                    |
        |              overdue, retire ----- retire -----------. overdue             overdue
     overdue, retire       '----------------> DOOMED <---------'---'--------------------'
        v                                       |
      GONE <---------------- died --------------'
"""

from enum import Enum, auto


class System(Enum):
    """What the whole tree is about."""

    STARTING = auto()
    """Some part has not stood yet: a failure now is the operator's, not a matter of restarts."""
    SERVING = auto()
    DRAINING = auto()
    """Workers finish what they run; roles still live and are still replaced."""
    KILLING = auto()
    """The time to finish is over: what still runs is frozen, killed, reaped and only then given back."""
    CLOSING = auto()
    """No worker lives; roles leave one after the other, in the reverse of the order they came in."""
    ENDED = auto()


class SystemEvent(Enum):
    UP = auto()
    """A first worker serves and the coordinator does."""
    FAILED = auto()
    """The app or a role says it can't be served."""
    DRAIN = auto()
    TIMEOUT = auto()
    WORKERS_GONE = auto()
    """No worker lives, and what the dead ones held is settled or has been waited for long enough."""
    TREE_GONE = auto()


class SystemAction(Enum):
    ANNOUNCE = auto()
    """Say that we serve: log, systemd."""
    RETIRE_WORKERS = auto()
    KILL_WORKERS = auto()
    CLOSE_ROLES = auto()
    HURRY_ROLES = auto()
    """Kill what has been asked to leave and has not yet."""
    STOP = auto()


class ChildState(Enum):
    """How a process of ours lives."""

    SPAWNING = auto()
    """Asked of the template; its pid is not known."""
    STARTING = auto()
    """It has a pid and has not said READY: it touches nothing that is shared."""
    STANDBY = auto()
    """A worker that is READY and has no GO: it waits to take the place of the next one that dies."""
    SERVING = auto()
    RETIRING = auto()
    """Asked to leave when it has finished."""
    DOOMED = auto()
    """SIGKILL is sent; only the reaper can end this state."""
    GONE = auto()


class ChildEvent(Enum):
    BORN = auto()
    """Its pid is known."""
    READY = auto()
    """A role serves."""
    STANDS = auto()
    """A worker has said READY."""
    CALLED = auto()
    """There is a place for a worker that stands by."""
    RETIRE = auto()
    OVERDUE = auto()
    """The deadline of its state has passed, or its sign of life is too old."""
    DIED = auto()


class ChildAction(Enum):
    SERVE = auto()
    """A worker gets GO; a role's service is noted."""
    ASK_TO_LEAVE = auto()
    """Workers by control word and Wake, roles by Drain."""
    ABANDON = auto()
    """Close its channel and forget it: should it ever appear, it finds the end of file."""
    KILL = auto()
    STUCK = auto()
    """It survives SIGKILL (uninterruptible sleep): report it, use another slot."""
    BURY = auto()


_S, _SE, _SA = System, SystemEvent, SystemAction
SYSTEM: dict[tuple[System, SystemEvent], tuple[System, tuple[SystemAction, ...]]] = {
    (_S.STARTING, _SE.UP): (_S.SERVING, (_SA.ANNOUNCE,)),
    (_S.STARTING, _SE.FAILED): (_S.DRAINING, (_SA.RETIRE_WORKERS,)),
    (_S.STARTING, _SE.DRAIN): (_S.DRAINING, (_SA.RETIRE_WORKERS,)),
    (_S.SERVING, _SE.DRAIN): (_S.DRAINING, (_SA.RETIRE_WORKERS,)),
    (_S.DRAINING, _SE.DRAIN): (_S.KILLING, (_SA.KILL_WORKERS,)),
    (_S.DRAINING, _SE.TIMEOUT): (_S.KILLING, (_SA.KILL_WORKERS,)),
    (_S.DRAINING, _SE.WORKERS_GONE): (_S.CLOSING, (_SA.CLOSE_ROLES,)),
    (_S.KILLING, _SE.DRAIN): (_S.KILLING, (_SA.KILL_WORKERS,)),
    (_S.KILLING, _SE.WORKERS_GONE): (_S.CLOSING, (_SA.CLOSE_ROLES,)),
    (_S.CLOSING, _SE.DRAIN): (_S.CLOSING, (_SA.HURRY_ROLES,)),
    (_S.CLOSING, _SE.TREE_GONE): (_S.ENDED, (_SA.STOP,)),
}

_C, _CE, _CA = ChildState, ChildEvent, ChildAction
CHILD: dict[tuple[ChildState, ChildEvent], tuple[ChildState, tuple[ChildAction, ...]]] = {
    (_C.SPAWNING, _CE.BORN): (_C.STARTING, ()),
    (_C.SPAWNING, _CE.STANDS): (_C.STANDBY, ()),
    (_C.SPAWNING, _CE.RETIRE): (_C.GONE, (_CA.ABANDON,)),
    (_C.SPAWNING, _CE.OVERDUE): (_C.GONE, (_CA.ABANDON,)),
    (_C.SPAWNING, _CE.DIED): (_C.GONE, (_CA.ABANDON,)),
    (_C.STARTING, _CE.READY): (_C.SERVING, (_CA.SERVE,)),
    (_C.STARTING, _CE.STANDS): (_C.STANDBY, ()),
    (_C.STANDBY, _CE.CALLED): (_C.SERVING, (_CA.SERVE,)),
    (_C.STANDBY, _CE.RETIRE): (_C.DOOMED, (_CA.KILL,)),
    (_C.STANDBY, _CE.OVERDUE): (_C.DOOMED, (_CA.KILL,)),
    (_C.STANDBY, _CE.DIED): (_C.GONE, (_CA.BURY,)),
    # Before GO it holds nothing and has told nobody: asking it politely would only be slower.
    (_C.STARTING, _CE.RETIRE): (_C.DOOMED, (_CA.KILL,)),
    (_C.STARTING, _CE.OVERDUE): (_C.DOOMED, (_CA.KILL,)),
    (_C.STARTING, _CE.DIED): (_C.GONE, (_CA.BURY,)),
    (_C.SERVING, _CE.RETIRE): (_C.RETIRING, (_CA.ASK_TO_LEAVE,)),
    (_C.SERVING, _CE.OVERDUE): (_C.DOOMED, (_CA.KILL,)),
    (_C.SERVING, _CE.DIED): (_C.GONE, (_CA.BURY,)),
    (_C.RETIRING, _CE.OVERDUE): (_C.DOOMED, (_CA.KILL,)),
    (_C.RETIRING, _CE.DIED): (_C.GONE, (_CA.BURY,)),
    (_C.DOOMED, _CE.OVERDUE): (_C.DOOMED, (_CA.STUCK,)),
    (_C.DOOMED, _CE.DIED): (_C.GONE, (_CA.BURY,)),
}


def step_system(state: System, event: SystemEvent) -> tuple[System, tuple[SystemAction, ...]]:
    return SYSTEM.get((state, event), (state, ()))


def step_child(state: ChildState, event: ChildEvent) -> tuple[ChildState, tuple[ChildAction, ...]]:
    return CHILD.get((state, event), (state, ()))

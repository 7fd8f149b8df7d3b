"""Ending one run from outside, as a state machine: events and instants in, actions out, no I/O and no clock.

    NONE --Order--> ASKED_STACK --its stack came, or 100 ms--> FREEZING --stopped--> look again
                                                                         same run: KILLED   another: NONE

The worker never waits for the master, so between "this run is overdue" and the signal that ends it the
worker may have moved on to an innocent job; killing on the first look did so in most trials. Hence: freeze,
look again, kill. The intent (which run, and why) is written down before SIGKILL, so that the death explains
itself.

A shutdown ends whatever runs: no stack is asked for, and the second look only learns what the intent must
name. endings.py drives one of these per worker and does what the actions say; NONE is None there."""

from dataclasses import dataclass, replace
from enum import Enum
from signal import SIGCONT, SIGKILL, SIGSTOP

from gangerd.linux.signals import DUMP_SIGNAL
from gangerd.master.deadlines import Look, overdue

POLL_NS = 5_000_000
STACK_WAIT_NS = 100_000_000
STOP_WAIT_NS = 1_000_000_000
DEATH_WAIT_NS = 5_000_000_000
TIMEOUT, RELEASED, CANCELLED, MEMORY_LIMIT = "timeout", "released", "cancelled", "memory_limit"
PERMIT_LOST = "permit_lost"


@dataclass(frozen=True, slots=True)
class Target:
    """The run to end. run_seq 0 with cause RELEASED: whatever this worker does (a shutdown)."""

    pid: int
    incarnation: str
    run_seq: int
    cause: str


@dataclass(frozen=True, slots=True)
class Intent:
    """Written before SIGKILL: the run it is meant for (0: none was under way, None: it could not be seen),
    why, and when (monotonic)."""

    run_seq: int | None
    cause: str
    at_ns: int


class Phase(Enum):
    ASKED_STACK = "asked for its stack"
    FREEZING = "freezing"
    KILLED = "killed"


@dataclass(frozen=True, slots=True)
class Ending:
    """An ending under way. `anyway`: a shutdown wants the worker gone even if it runs something else by
    now."""

    target: Target
    phase: Phase
    since_ns: int
    anyway: bool
    crash_bytes: int = 0
    stack_begun: bool = False
    reported: bool = False


# events


@dataclass(frozen=True, slots=True)
class Order:
    """End this. crash_bytes: the size of the worker's crash file now."""

    target: Target
    now_ns: int
    crash_bytes: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed and the worker has not been seen to stop. process_state is the kernel's letter."""

    now_ns: int
    crash_bytes: int
    process_state: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """Every thread of the worker stands still; `seen` was read after that was known."""

    now_ns: int
    seen: Look
    allowance_ns: int


@dataclass(frozen=True, slots=True)
class Gone:
    """The worker was reaped."""


Event = Order | Tick | Stopped | Gone

# actions


@dataclass(frozen=True, slots=True)
class Signal:
    pid: int
    number: int


@dataclass(frozen=True, slots=True)
class WriteIntent:
    intent: Intent


@dataclass(frozen=True, slots=True)
class EmptyCrashFile:
    """The stack in it is of a run that was spared; the worker stands still."""


@dataclass(frozen=True, slots=True)
class Report:
    """Worth a warning. `stuck`: the worker answers no signal, its slot can't be counted on."""

    event: str
    text: str
    stuck: bool = False


Action = Signal | WriteIntent | EmptyCrashFile | Report


def step(ending: Ending | None, event: Event) -> tuple[Ending | None, list[Action]]:
    """The next state and what to do, in this order."""
    match event:
        case Gone():
            return None, []
        case Order():
            return _begin(event) if ending is None else _insist(ending, event)
        case Tick():
            return (None, []) if ending is None else _TICKS[ending.phase](ending, event)
        case Stopped():
            if ending is None or ending.phase is not Phase.FREEZING:
                return ending, []
            return _look_again(ending, event)


def _begin(order: Order) -> tuple[Ending, list[Action]]:
    target = order.target
    if target.cause == RELEASED:
        return _freeze(Ending(target, Phase.FREEZING, order.now_ns, anyway=True), order.now_ns)
    ending = Ending(target, Phase.ASKED_STACK, order.now_ns, anyway=False, crash_bytes=order.crash_bytes)
    return ending, [Signal(target.pid, DUMP_SIGNAL)]


def _insist(ending: Ending, order: Order) -> tuple[Ending, list[Action]]:
    """A shutdown overtakes an ending under way, but if the run it was for is still on, that cause stands."""
    if order.target.cause != RELEASED or ending.anyway or ending.phase is Phase.KILLED:
        return ending, []
    ending = replace(ending, anyway=True)
    return _freeze(ending, order.now_ns) if ending.phase is Phase.ASKED_STACK else (ending, [])


def _freeze(ending: Ending, now_ns: int) -> tuple[Ending, list[Action]]:
    return replace(ending, phase=Phase.FREEZING, since_ns=now_ns), [Signal(ending.target.pid, SIGSTOP)]


def _await_stack(ending: Ending, tick: Tick) -> tuple[Ending, list[Action]]:
    """On when the stack is whole (the file grew, and has stopped growing) or the time for it is up."""
    complete = ending.stack_begun and tick.crash_bytes == ending.crash_bytes
    if complete or tick.now_ns - ending.since_ns >= STACK_WAIT_NS:
        return _freeze(ending, tick.now_ns)
    grown = tick.crash_bytes > ending.crash_bytes
    return replace(ending, crash_bytes=tick.crash_bytes, stack_begun=ending.stack_begun or grown), []


def _await_stop(ending: Ending, tick: Tick) -> tuple[Ending, list[Action]]:
    """A process inside the kernel (state D) stops when it comes out. The second look can wait for that:
    SIGSTOP is pending, so no other job starts. A shutdown can't, and takes it as it is."""
    waited_ns = tick.now_ns - ending.since_ns
    if waited_ns < STOP_WAIT_NS:
        return ending, []
    if ending.anyway:
        return _kill(ending, Intent(None, RELEASED, tick.now_ns))
    return _report(ending, "worker does not stop", waited_ns, tick.process_state)


def _await_death(ending: Ending, tick: Tick) -> tuple[Ending, list[Action]]:
    waited_ns = tick.now_ns - ending.since_ns
    if waited_ns < DEATH_WAIT_NS:
        return ending, []
    return _report(ending, "worker survives SIGKILL", waited_ns, tick.process_state)


_TICKS = {Phase.ASKED_STACK: _await_stack, Phase.FREEZING: _await_stop, Phase.KILLED: _await_death}


def _report(ending: Ending, event: str, waited_ns: int, state: str) -> tuple[Ending, list[Action]]:
    if ending.reported:
        return ending, []
    text = f"{waited_ns / 1e9:.1f} s after the signal its process is in state {state or '?'}"
    return replace(ending, reported=True), [Report(event, text, stuck=True)]


def _look_again(ending: Ending, stopped: Stopped) -> tuple[Ending | None, list[Action]]:
    target, seen, now_ns = ending.target, stopped.seen, stopped.now_ns
    if seen.incarnation == target.incarnation:
        same = seen.run_seq != 0 and seen.run_seq == target.run_seq
        if same and (target.cause != TIMEOUT or overdue(seen, now_ns, stopped.allowance_ns)):
            return _kill(ending, Intent(target.run_seq, target.cause, now_ns))
        if ending.anyway:
            return _kill(ending, Intent(seen.run_seq, RELEASED, now_ns))
    elif ending.anyway:
        return _kill(ending, Intent(None, RELEASED, now_ns))
    return None, [EmptyCrashFile(), Signal(target.pid, SIGCONT)]


def _kill(ending: Ending, intent: Intent) -> tuple[Ending, list[Action]]:
    killed = replace(ending, phase=Phase.KILLED, since_ns=intent.at_ns, reported=False)
    return killed, [WriteIntent(intent), Signal(ending.target.pid, SIGKILL)]

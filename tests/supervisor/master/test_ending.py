"""ending.py: every pair of state and event, and the paths that matter."""

from dataclasses import replace
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest

from gangerd.linux.signals import DUMP_SIGNAL
from gangerd.master.deadlines import Look
from gangerd.master.ending import (
    DEATH_WAIT_NS,
    RELEASED,
    STACK_WAIT_NS,
    STOP_WAIT_NS,
    TIMEOUT,
    Action,
    EmptyCrashFile,
    Ending,
    Event,
    Gone,
    Intent,
    Order,
    Phase,
    Report,
    Signal,
    Stopped,
    Target,
    Tick,
    WriteIntent,
    step,
)

PID, MS = 4242, 1_000_000
T0 = 50_000 * MS
OVERDUE = Target(PID, "a1", 7, TIMEOUT)
FAT = Target(PID, "a1", 7, "memory_limit")
SHUTDOWN = Target(PID, "a1", 0, RELEASED)
SAME = Look("a1", 7, started_ns=T0 - 900 * MS, soft_ns=T0 - 20 * MS, hard_ns=T0 - 10 * MS)
NEXT = Look("a1", 8, started_ns=T0, soft_ns=T0 + 900 * MS, hard_ns=T0 + 990 * MS)
IDLE = Look("a1", 0)
OTHER = replace(SAME, incarnation="b2")

ASKED = Ending(OVERDUE, Phase.ASKED_STACK, T0, anyway=False, crash_bytes=10)
ASKED_BEGUN = replace(ASKED, crash_bytes=300, stack_begun=True)
FREEZING = Ending(OVERDUE, Phase.FREEZING, T0, anyway=False)
FREEZING_FAT = replace(FREEZING, target=FAT)
FREEZING_ANYWAY = replace(FREEZING, anyway=True)
SHUTTING = Ending(SHUTDOWN, Phase.FREEZING, T0, anyway=True)
KILLED = Ending(OVERDUE, Phase.KILLED, T0, anyway=False)
KILLED_REPORTED = replace(KILLED, reported=True)

STOP, CONT, KILL, DUMP = (Signal(PID, n) for n in (SIGSTOP, SIGCONT, SIGKILL, DUMP_SIGNAL))
SPARE: list[Action] = [EmptyCrashFile(), CONT]


def tick(after_ns: int, size: int = 10, state: str = "S") -> Tick:
    return Tick(T0 + after_ns, size, state)


def intent(run_seq: int | None, cause: str, after_ns: int = 0) -> list[Action]:
    return [WriteIntent(Intent(run_seq, cause, T0 + after_ns)), KILL]


def stuck(event: str, text: str) -> list[Action]:
    return [Report(event, text, stuck=True)]


Row = tuple[Ending | None, Event, Phase | None, list[Action]]
TABLE: list[Row] = [
    # NONE
    (None, Order(OVERDUE, T0, 10), Phase.ASKED_STACK, [DUMP]),
    (None, Order(FAT, T0, 10), Phase.ASKED_STACK, [DUMP]),
    (None, Order(SHUTDOWN, T0, 10), Phase.FREEZING, [STOP]),
    (None, tick(0), None, []),
    (None, Stopped(T0, SAME, 0), None, []),
    (None, Gone(), None, []),
    # ASKED_STACK
    (ASKED, Order(OVERDUE, T0, 10), Phase.ASKED_STACK, []),
    (ASKED, Order(FAT, T0, 10), Phase.ASKED_STACK, []),
    (ASKED, Order(SHUTDOWN, T0, 10), Phase.FREEZING, [STOP]),
    (ASKED, tick(5 * MS), Phase.ASKED_STACK, []),
    (ASKED, tick(5 * MS, size=300), Phase.ASKED_STACK, []),
    (ASKED, tick(STACK_WAIT_NS - 1, size=300), Phase.ASKED_STACK, []),
    (ASKED, tick(STACK_WAIT_NS), Phase.FREEZING, [STOP]),
    (ASKED_BEGUN, tick(10 * MS, size=400), Phase.ASKED_STACK, []),
    (ASKED_BEGUN, tick(10 * MS, size=300), Phase.FREEZING, [STOP]),
    (ASKED_BEGUN, tick(STACK_WAIT_NS, size=400), Phase.FREEZING, [STOP]),
    (ASKED, Stopped(T0, SAME, 0), Phase.ASKED_STACK, []),
    (ASKED, Gone(), None, []),
    # FREEZING
    (FREEZING, Order(OVERDUE, T0, 10), Phase.FREEZING, []),
    (FREEZING, Order(SHUTDOWN, T0, 10), Phase.FREEZING, []),
    (SHUTTING, Order(SHUTDOWN, T0, 10), Phase.FREEZING, []),
    (FREEZING, tick(STOP_WAIT_NS - 1), Phase.FREEZING, []),
    (
        FREEZING,
        tick(STOP_WAIT_NS, state="D"),
        Phase.FREEZING,
        stuck("worker does not stop", "1.0 s after the signal its process is in state D"),
    ),
    (replace(FREEZING, reported=True), tick(9 * STOP_WAIT_NS), Phase.FREEZING, []),
    (SHUTTING, tick(STOP_WAIT_NS - 1), Phase.FREEZING, []),
    (SHUTTING, tick(STOP_WAIT_NS), Phase.KILLED, intent(None, RELEASED, STOP_WAIT_NS)),
    (FREEZING_ANYWAY, tick(STOP_WAIT_NS), Phase.KILLED, intent(None, RELEASED, STOP_WAIT_NS)),
    (FREEZING, Stopped(T0, SAME, 0), Phase.KILLED, intent(7, TIMEOUT)),
    (FREEZING, Stopped(T0, SAME, 10 * MS), Phase.KILLED, intent(7, TIMEOUT)),
    (FREEZING, Stopped(T0, SAME, 11 * MS), None, SPARE),
    (FREEZING, Stopped(T0, replace(SAME, hard_ns=0), 0), None, SPARE),
    (FREEZING, Stopped(T0, NEXT, 0), None, SPARE),
    (FREEZING, Stopped(T0, replace(NEXT, hard_ns=T0 - 1), 0), None, SPARE),
    (FREEZING, Stopped(T0, IDLE, 0), None, SPARE),
    (FREEZING, Stopped(T0, OTHER, 0), None, SPARE),
    (FREEZING_FAT, Stopped(T0, replace(SAME, hard_ns=0), 0), Phase.KILLED, intent(7, "memory_limit")),
    (FREEZING_FAT, Stopped(T0, NEXT, 0), None, SPARE),
    (FREEZING_ANYWAY, Stopped(T0, SAME, 0), Phase.KILLED, intent(7, TIMEOUT)),
    (FREEZING_ANYWAY, Stopped(T0, NEXT, 0), Phase.KILLED, intent(8, RELEASED)),
    (FREEZING_ANYWAY, Stopped(T0, OTHER, 0), Phase.KILLED, intent(None, RELEASED)),
    (SHUTTING, Stopped(T0, NEXT, 0), Phase.KILLED, intent(8, RELEASED)),
    (SHUTTING, Stopped(T0, IDLE, 0), Phase.KILLED, intent(0, RELEASED)),
    (FREEZING, Gone(), None, []),
    # KILLED
    (KILLED, Order(OVERDUE, T0, 10), Phase.KILLED, []),
    (KILLED, Order(SHUTDOWN, T0, 10), Phase.KILLED, []),
    (KILLED, tick(DEATH_WAIT_NS - 1), Phase.KILLED, []),
    (
        KILLED,
        tick(DEATH_WAIT_NS, state="D"),
        Phase.KILLED,
        stuck("worker survives SIGKILL", "5.0 s after the signal its process is in state D"),
    ),
    (KILLED_REPORTED, tick(9 * DEATH_WAIT_NS), Phase.KILLED, []),
    (KILLED, Stopped(T0, NEXT, 0), Phase.KILLED, []),
    (KILLED, Gone(), None, []),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0] and row[0].phase.name}-{row[1]}")
def test_table(row: Row) -> None:
    ending, event, phase, actions = row
    after, done = step(ending, event)
    assert (after.phase if after else None) == phase
    assert done == actions
    if actions and isinstance(actions[0], Report):
        assert step(after, event) == (after, [])  # said once


def test_the_table_has_every_pair() -> None:
    pairs = {(row[0].phase if row[0] else None, type(row[1])) for row in TABLE}
    assert pairs == {(phase, kind) for phase in (None, *Phase) for kind in (Order, Tick, Stopped, Gone)}


def test_only_a_frozen_worker_is_killed_and_only_after_the_intent() -> None:
    for ending, event, _, _ in TABLE:
        _, actions = step(ending, event)
        if KILL in actions:
            assert isinstance(actions[actions.index(KILL) - 1], WriteIntent)
            assert ending is not None and ending.phase is Phase.FREEZING


def test_a_whole_ending() -> None:
    ending, sent = step(None, Order(OVERDUE, T0, 0))
    for event in (tick(5 * MS, 0), tick(10 * MS, 200), tick(15 * MS, 250), tick(20 * MS, 250)):
        ending, actions = step(ending, event)
        sent += actions
    assert sent == [DUMP, STOP] and ending is not None
    ending, actions = step(ending, Stopped(T0 + 21 * MS, SAME, 0))
    assert actions == intent(7, TIMEOUT, 21 * MS)
    assert step(ending, Gone()) == (None, [])

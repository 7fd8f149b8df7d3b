"""The two state tables, pair by pair: what is in them is what should be, and nothing else does anything."""

import itertools

import pytest

from gangerd.master import lifecycle
from gangerd.master.lifecycle import (
    ChildAction,
    ChildEvent,
    ChildState,
    System,
    SystemAction,
    SystemEvent,
)

CHILD_MATRIX = """
            BORN      STANDS   READY          CALLED         RETIRE                 OVERDUE       DIED
SPAWNING    STARTING  STANDBY  -              -              GONE/ABANDON           GONE/ABANDON  GONE/ABANDON
STARTING    -         STANDBY  SERVING/SERVE  -              DOOMED/KILL            DOOMED/KILL   GONE/BURY
STANDBY     -         -        -              SERVING/SERVE  DOOMED/KILL            DOOMED/KILL   GONE/BURY
SERVING     -         -        -              -              RETIRING/ASK_TO_LEAVE  DOOMED/KILL   GONE/BURY
RETIRING    -         -        -              -              -                      DOOMED/KILL   GONE/BURY
DOOMED      -         -        -              -              -                      DOOMED/STUCK  GONE/BURY
GONE        -         -        -              -              -                      -             -
"""
SYSTEM_MATRIX = """
            UP                FAILED                   DRAIN                    TIMEOUT              WORKERS_GONE         TREE_GONE
STARTING    SERVING/ANNOUNCE  DRAINING/RETIRE_WORKERS  DRAINING/RETIRE_WORKERS  -                    -                    -
SERVING     -                 -                        DRAINING/RETIRE_WORKERS  -                    -                    -
DRAINING    -                 -                        KILLING/KILL_WORKERS     KILLING/KILL_WORKERS CLOSING/CLOSE_ROLES  -
KILLING     -                 -                        KILLING/KILL_WORKERS     -                    CLOSING/CLOSE_ROLES  -
CLOSING     -                 -                        CLOSING/HURRY_ROLES      -                    -                    ENDED/STOP
ENDED       -                 -                        -                        -                    -                    -
"""  # noqa: E501


def cells(matrix: str) -> dict[tuple[str, str], str]:
    head, *rows = [line.split() for line in matrix.strip().splitlines()]
    return {(row[0], event): cell for row in rows for event, cell in zip(head, row[1:], strict=True)}


def shown(before: str, after: str, actions: list[str]) -> str:
    if not actions and before == after:
        return "-"
    return "/".join([after, *actions])


@pytest.mark.parametrize(("state", "event"), list(itertools.product(ChildState, ChildEvent)))
def test_every_state_and_event_of_a_child(state: ChildState, event: ChildEvent) -> None:
    after, actions = lifecycle.step_child(state, event)
    assert (
        shown(state.name, after.name, [a.name for a in actions])
        == cells(CHILD_MATRIX)[state.name, event.name]
    )


@pytest.mark.parametrize(("state", "event"), list(itertools.product(System, SystemEvent)))
def test_every_state_and_event_of_the_system(state: System, event: SystemEvent) -> None:
    after, actions = lifecycle.step_system(state, event)
    assert (
        shown(state.name, after.name, [a.name for a in actions])
        == cells(SYSTEM_MATRIX)[state.name, event.name]
    )


def test_every_action_is_asked_for_somewhere() -> None:
    assert {a for _, actions in lifecycle.CHILD.values() for a in actions} == set(ChildAction)
    assert {a for _, actions in lifecycle.SYSTEM.values() for a in actions} == set(SystemAction)


def test_from_every_state_of_the_system_there_is_a_way_to_its_end() -> None:
    reached = {System.ENDED}
    while grown := {s for (s, _), (after, _) in lifecycle.SYSTEM.items() if after in reached} - reached:
        reached |= grown
    assert reached == set(System)

"""A reload's way, pair by pair; and the decisions on it, as tables of cases."""

import itertools

import pytest

from gangerd.master import generations
from gangerd.master.generations import RELOAD, Action, Canary, Event, Generations, Phase
from gangerd.master.lifecycle import ChildState

A, E, P = Action, Event, Phase


def at(phase: Phase) -> Generations:
    """One whose reload, asked for once, has come so far."""
    made = Generations()
    made.ask()
    for event in (E.BEGIN, E.CHECKED, E.IMPORTED, E.PASSED):
        if made.phase is phase:
            break
        made.step(event)
    assert made.phase is phase
    return made


def test_a_reload_that_goes_well_ends_in_a_new_generation() -> None:
    made = Generations()
    assert made.step(E.BEGIN) == () and made.ask() and made.wanted
    done = [made.step(event) for event in (E.BEGIN, E.CHECKED, E.IMPORTED, E.PASSED, E.SETTLED)]
    assert done == [(A.CHECK,), (A.IMPORT,), (A.BEAR_CANARY,), (A.COMMIT,), (A.FINISH,)]
    assert (made.current, made.newest, made.phase) == (2, 2, P.RESTING)
    assert (made.asks, made.answered) == (1, 1) and not made.wanted
    assert made.outdated(1) and not made.outdated(2)


@pytest.mark.parametrize("phase", [P.CHECKING, P.IMPORTING, P.CANARY])
@pytest.mark.parametrize("event", [E.FAILED, E.ENDING])
def test_before_the_commit_everything_is_taken_back(phase: Phase, event: Event) -> None:
    made = at(phase)
    assert made.step(event) == (A.GIVE_UP,)
    assert (made.current, made.phase, made.answered) == (1, P.RESTING, 1)


@pytest.mark.parametrize("event", [E.FAILED, E.ENDING])
def test_after_the_commit_nothing_is_taken_back(event: Event) -> None:
    made = at(P.ROLLING)
    assert made.step(event) == (A.GIVE_UP,)
    assert (made.current, made.phase, made.answered) == (2, P.RESTING, 1)


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(Phase, Event)))
def test_a_pair_that_is_not_in_the_table_changes_nothing(phase: Phase, event: Event) -> None:
    if (phase, event) in RELOAD:
        return
    made = at(phase)
    assert made.step(event) == () and made.phase is phase


def test_a_number_is_never_used_again() -> None:
    made = at(P.CANARY)
    made.step(E.FAILED)
    made.ask()
    for event in (E.BEGIN, E.CHECKED, E.IMPORTED, E.PASSED):
        made.step(event)
    assert (made.current, made.newest) == (3, 3)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not P.RESTING])
def test_a_storm_during_a_reload_is_one_more_reload(phase: Phase) -> None:
    made = at(phase)
    assert [made.ask() for _ in range(5)] == [True, False, False, False, False]
    while made.phase is not P.RESTING:
        made.step(E.SETTLED if made.phase is P.ROLLING else E.FAILED)
    assert made.answered == 1 and made.wanted
    assert made.step(E.BEGIN) == (A.CHECK,)
    made.step(E.FAILED)
    assert made.answered == made.asks == 6 and not made.wanted


C = ChildState


@pytest.mark.parametrize(
    ("state", "worked", "idle_s", "age_s", "in_job", "verdict"),
    [
        (C.SPAWNING, False, None, 0.1, False, None),
        (C.STARTING, False, None, 0.1, False, None),
        (C.STANDBY, False, None, 0.1, False, None),
        (C.SERVING, False, None, 0.1, False, None),
        (C.SERVING, True, None, 0.1, False, E.PASSED),
        (C.SERVING, False, 0.4, 0.5, False, None),
        (C.SERVING, False, 0.5, 0.6, False, E.PASSED),
        (C.SERVING, False, None, 10, False, E.FAILED),
        (C.STANDBY, False, None, 10, False, E.FAILED),
        (C.DOOMED, False, 0.2, 1, False, E.FAILED),
        (C.GONE, False, 0.2, 1, False, E.FAILED),
        (C.GONE, False, None, 1, True, E.PASSED),
    ],
)
def test_the_canary_has_passed_when_it_could_claim_whatever_a_job_does_to_it(
    state: ChildState, worked: bool, idle_s: float | None, age_s: float, in_job: bool, verdict: Event | None
) -> None:
    canary = Canary(state, worked, idle_s, age_s, in_job, "signal 11")
    event, reason = generations.judge(canary, idle_s=0.5, bound_s=10)
    assert event is verdict
    assert bool(reason) == (verdict is E.FAILED)


@pytest.mark.parametrize(
    ("given", "taken", "serving", "leaving", "allowed"),
    [
        (0, 0, 5, 0, True),
        (7, 7, 6, 0, True),
        (4, 5, 5, 0, True),  # taken in the moment in which it was withdrawn
        (1, 0, 5, 0, False),  # somebody has it
        (1, 1, 5, 1, False),  # its taker is still there
        (1, 1, 4, 0, False),  # nobody has taken its place yet
    ],
)
def test_one_turn_at_a_time_and_none_that_would_leave_a_place_empty(
    given: int, taken: int, serving: int, leaving: int, allowed: bool
) -> None:
    asked = generations.may_leave(given=given, taken=taken, serving=serving, leaving=leaving, wanted=4)
    assert asked is allowed


@pytest.mark.parametrize(
    ("idle", "busy", "roles", "short", "since_s", "over"),
    [
        (0, 0, 0, False, 0, True),
        (0, 0, 1, False, 29, False),
        (0, 0, 1, False, 30, True),
        (0, 0, 0, True, 1, False),
        (0, 2, 0, False, 29, False),
        (0, 2, 0, False, 30, True),
        (1, 2, 0, False, 300, False),
        (1, 0, 0, False, 300, False),
    ],
)
def test_it_is_over_when_nobody_old_is_left_but_long_jobs(
    idle: int, busy: int, roles: int, short: bool, since_s: float, over: bool
) -> None:
    found = generations.settled(
        idle=idle, busy=busy, roles_pending=roles, short=short, since_s=since_s, patience_s=30
    )
    assert found is over


@pytest.mark.parametrize(
    ("idle", "asked_again", "since_s", "over"),
    [
        (1, False, 929, False),
        (1, False, 930, True),
        (1, True, 29, False),
        (1, True, 30, True),
        (0, True, 999, False),
    ],
)
def test_it_does_not_wait_for_ever_for_workers_that_do_not_come(
    idle: int, asked_again: bool, since_s: float, over: bool
) -> None:
    found = generations.hopeless(
        idle=idle, asked_again=asked_again, since_s=since_s, patience_s=30, bound_s=930
    )
    assert found is over

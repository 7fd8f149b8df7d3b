"""The retry policy, case by case."""

from random import Random
from typing import Any

import pytest

from ganger.job import State
from ganger.retry import (
    CAUSES,
    MAX_DELAY_MS,
    Bury,
    Discard,
    Failure,
    Policy,
    Recover,
    Release,
    Retry,
    decide,
    default_backoff_s,
    exception_names,
)

CRASHES = [cause for cause, (_, crash) in CAUSES.items() if crash]


def ruled(policy: Policy, state: State, failure: Failure) -> Any:
    return decide(policy, state, failure, Random(7))


@pytest.mark.parametrize("cause", sorted(CAUSES))
def test_what_a_cause_uses_up(cause: str) -> None:
    decision: Any = ruled(Policy(), State(), Failure(cause))
    attempt, crash = CAUSES[cause]
    assert (decision.state.attempts, decision.state.crashes) == (int(attempt), int(crash))
    wanted: type = {"lost": Recover, "released": Release, "permit_lost": Release}.get(cause, Retry)
    kind = type(decision)
    assert kind is wanted
    assert len(decision.state.failures) == (cause not in ("released", "permit_lost"))


def test_the_causes_of_the_design_are_all_there() -> None:
    faults = ["segfault", "abort", "bus_error", "illegal_instruction", "fp_error", "signal"]
    assert set(CRASHES) == {*faults, "oom_kill", "memory_limit", "exit", "killed"}


@pytest.mark.parametrize("dead", [False, True])
def test_retries_are_used_up(dead: bool) -> None:
    policy = Policy(retry=2, dead=dead)
    state, kinds = State(), []
    for _ in range(3):
        decision = ruled(policy, state, Failure("exception", "ValueError"))
        kinds.append(type(decision))
        state = decision.state
    assert kinds == [Retry, Retry, Bury if dead else Discard]
    assert state.attempts == 3


@pytest.mark.parametrize("cause", CRASHES)
def test_a_poison_pill_is_kept_after_three_crashes_whatever_retry_says(cause: str) -> None:
    policy, state = Policy(retry=1000), State()
    for crash in range(1, 4):
        decision = ruled(policy, state, Failure(cause))
        assert isinstance(decision, Bury if crash == 3 else Retry)
        state = decision.state


def test_a_timeout_is_a_crash_only_where_it_needed_a_kill() -> None:
    soft = ruled(Policy(crash_limit=1), State(), Failure("timeout"))
    hard = ruled(Policy(crash_limit=1), State(), Failure("timeout", counts_as_crash=True))
    assert (type(soft), type(hard)) == (Retry, Bury)


def test_a_lost_job_has_a_bound_of_its_own() -> None:
    policy, state, kinds = Policy(retry=0, lost_limit=3), State(), []
    for _ in range(3):
        decision = ruled(policy, state, Failure("lost", uses_attempt=True, counts_as_crash=True))
        kinds.append(type(decision))
        state = decision.state
    assert kinds == [Recover, Recover, Bury]
    assert (state.lost, state.attempts, state.crashes) == (3, 0, 0)


def test_a_release_is_counted_and_nothing_else() -> None:
    state = State(attempts=2, crashes=1, released=4)
    assert ruled(Policy(retry=0), state, Failure("released")) == Release(State(2, 1, 0, 5))


@pytest.mark.parametrize(
    ("retry_on", "discard_on", "kind"),
    [
        ((), (), Retry),
        (("KeyError",), (), Retry),
        (("builtins.LookupError",), (), Retry),
        (("ValueError",), (), Discard),
        ((), ("KeyError",), Discard),
        ((), ("LookupError",), Discard),
        (("KeyError",), ("LookupError",), Discard),
    ],
)
def test_exceptions_are_chosen_by_name(
    retry_on: tuple[str, ...], discard_on: tuple[str, ...], kind: type
) -> None:
    policy = Policy(retry_on=retry_on, discard_on=discard_on)
    failure = Failure("exception", "KeyError", names=exception_names(KeyError))
    assert isinstance(ruled(policy, State(), failure), kind)
    assert isinstance(ruled(policy, State(), Failure("segfault")), Retry)


@pytest.mark.parametrize(
    ("policy", "attempts", "delay_s", "wanted_ms"),
    [
        (Policy(backoff=(1.5,)), 0, None, 1500),
        (Policy(backoff=(1.5,)), 9, None, 1500),
        (Policy(backoff=(1, 2, 30)), 1, None, 2000),
        (Policy(backoff=(1, 2, 30)), 7, None, 30_000),
        (Policy(backoff=(1,)), 0, 0.25, 250),
        (Policy(), 0, -5, 0),
        (Policy(), 0, 1e12, MAX_DELAY_MS),
    ],
)
def test_delays(policy: Policy, attempts: int, delay_s: float | None, wanted_ms: int) -> None:
    decision = ruled(policy, State(attempts=attempts), Failure("exception", delay_s=delay_s))
    assert decision.delay_ms == wanted_ms


def test_the_default_backoff_is_three_weeks_in_all() -> None:
    rng = Random(1)
    for attempts, least, most in ((1, 15, 25), (2, 16, 36), (3, 31, 61), (25, 331_791, 332_041)):
        assert all(least <= default_backoff_s(attempts, rng) <= most for _ in range(50))
    total = sum(default_backoff_s(n, rng) for n in range(1, 26))
    assert 19 < total / 86400 < 22


def test_a_policy_comes_from_a_manifest_and_a_push_may_overrule_it() -> None:
    entry = {"queue": "mail", "retry": 3, "backoff": [1.0, 2.0], "timeout": 5.0, "memory": None}
    assert Policy.from_manifest(entry) == Policy(retry=3, backoff=(1.0, 2.0), timeout=5.0)
    assert Policy.from_manifest(entry, {"retry": 0}).retry == 0

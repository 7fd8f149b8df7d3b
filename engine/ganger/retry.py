"""What a failure leads to: the retry policy, pure. No I/O, no clock; randomness is handed in.

A worker (exception, soft timeout) or the coordinator (a death) makes a `Failure`, `decide` turns it with the
job's policy and state into one of five decisions, and operations/failing.py carries that out. Which cause
uses an attempt and which counts as a crash is the table CAUSES; a caller may overrule a row with its own
evidence (a timeout that needed SIGKILL is a crash, one that did not is none).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec

from ganger.job import FailureRecord, State

DEFAULT_RETRY = 25
DEFAULT_TIMEOUT_S = 1800.0
DEFAULT_GRACE_S = 3.0
DEFAULT_CRASH_LIMIT = 3
DEFAULT_LOST_LIMIT = 5
MAX_DELAY_MS = 365 * 24 * 3600 * 1000

CAUSES: Mapping[str, tuple[bool, bool]] = {
    "exception": (True, False),
    "unknown_type": (True, False),
    "bad_arguments": (True, False),
    "timeout": (True, False),
    "segfault": (True, True),
    "abort": (True, True),
    "bus_error": (True, True),
    "illegal_instruction": (True, True),
    "fp_error": (True, True),
    "signal": (True, True),
    "oom_kill": (True, True),
    "memory_limit": (True, True),
    "exit": (True, True),
    "killed": (True, True),
    "lost": (False, False),
    "released": (False, False),
    "permit_lost": (False, False),
}
"""Cause -> (uses an attempt, counts as a crash)."""


class Policy(msgspec.Struct, frozen=True):
    """The options of a job type that say what a failure leads to. Names equal those of the manifest."""

    retry: int = DEFAULT_RETRY
    """Attempts after the first; 0 = none."""
    backoff: tuple[float, ...] | None = None
    """Seconds before attempt 2, 3, ...; the last one goes on. None = the default formula."""
    crash_limit: int = DEFAULT_CRASH_LIMIT
    dead: bool = False
    """Keep the job when its retries are used up; one whose last attempt crashed is kept anyway."""
    lost_limit: int = DEFAULT_LOST_LIMIT
    timeout: float = DEFAULT_TIMEOUT_S
    """Seconds to the soft timeout."""
    grace: float = DEFAULT_GRACE_S
    """Seconds from the soft timeout to the hard one."""
    retry_on: tuple[str, ...] = ()
    """Exception names; when given, others are not tried again."""
    discard_on: tuple[str, ...] = ()
    """Exception names that are never tried again."""

    @staticmethod
    def from_manifest(type_entry: Mapping[str, Any], overrides: Mapping[str, Any] | None = None) -> "Policy":
        """The policy of a manifest's type; overrides of one push win. Raises msgspec.ValidationError."""
        merged = {**type_entry, **overrides} if overrides else dict(type_entry)
        return msgspec.convert(merged, Policy)


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed delivery, with what is known of it."""

    cause: str
    """A key of CAUSES; an unknown one counts as `signal`."""
    error: str = ""
    message: str = ""
    at_ms: int = 0
    ran_ms: int = 0
    host: str = ""
    worker: str = ""
    stack: str = ""
    peak_rss_bytes: int = 0
    """The most memory that this run used, 0: not known."""
    evidence: str = ""
    """What else was found out, in a sentence."""
    generation: int = 0
    """Which import of the app it ran in, 0: not known."""
    delay_s: float | None = None
    """A delay that the exception itself asked for."""
    names: tuple[str, ...] = ()
    """The exception's class and its bases, by name and by module.name, for retry_on and discard_on."""
    uses_attempt: bool | None = None
    counts_as_crash: bool | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """working -> later."""

    delay_ms: int
    state: State


@dataclass(frozen=True, slots=True)
class Bury:
    """working -> dead: kept, for a human."""

    state: State


@dataclass(frozen=True, slots=True)
class Discard:
    """working -> gone, counted as exhausted."""

    state: State


@dataclass(frozen=True, slots=True)
class Release:
    """working -> returned, no attempt used."""

    state: State


@dataclass(frozen=True, slots=True)
class Recover:
    """working -> returned, no attempt used, counted as lost."""

    state: State


Decision = Retry | Bury | Discard | Release | Recover


def decide(policy: Policy, state: State, failure: Failure, rng: Random) -> Decision:
    """What this failure leads to, with the state the job then has."""
    uses_attempt, crash = _effects(failure)
    if failure.cause in ("released", "permit_lost"):
        return Release(msgspec.structs.replace(state, released=state.released + 1))
    after = State(
        attempts=state.attempts + uses_attempt,
        crashes=state.crashes + crash,
        lost=state.lost + (failure.cause == "lost"),
        released=state.released,
        revived=state.revived,
        failures=state.with_failure(_record(state, failure)),
    )
    if failure.cause == "lost":
        # A job that takes its host down each time must end somewhere, and visibly.
        return Bury(after) if after.lost >= policy.lost_limit else Recover(after)
    if crash and after.crashes >= policy.crash_limit:
        return Bury(after)
    if after.attempts > policy.retry or not _may_repeat(policy, failure):
        # What ended with a crash is kept whatever `dead` says: somebody must read its post-mortem.
        return Bury(after) if policy.dead or crash else Discard(after)
    return Retry(_delay_ms(policy, after.attempts, failure, rng), after)


def default_backoff_s(attempts: int, rng: Random) -> float:
    """n^4 + 15 + rand(10 (n + 1)) s, n = retries before this one (Sidekiq's formula: 25 take 3 weeks)."""
    n = attempts - 1
    return n**4 + 15 + rng.random() * 10 * (n + 1)


def _effects(failure: Failure) -> tuple[bool, bool]:
    uses_attempt, crash = CAUSES.get(failure.cause, CAUSES["signal"])
    if failure.cause in ("lost", "released", "permit_lost"):
        return False, False
    return (
        uses_attempt if failure.uses_attempt is None else failure.uses_attempt,
        crash if failure.counts_as_crash is None else failure.counts_as_crash,
    )


def _may_repeat(policy: Policy, failure: Failure) -> bool:
    """retry_on and discard_on speak of exceptions; a death or a timeout is tried again whatever they say."""
    if failure.cause != "exception":
        return True
    names = (failure.error, *failure.names)
    if any(name in policy.discard_on for name in names):
        return False
    return not policy.retry_on or any(name in policy.retry_on for name in names)


def _delay_ms(policy: Policy, attempts: int, failure: Failure, rng: Random) -> int:
    if failure.delay_s is not None:
        delay_s = failure.delay_s
    elif policy.backoff:
        # A type may be tried without using an attempt (its caller's evidence), so attempts can be 0.
        delay_s = policy.backoff[min(max(attempts, 1), len(policy.backoff)) - 1]
    else:
        delay_s = default_backoff_s(max(attempts, 1), rng)
    return int(min(max(delay_s * 1000, 0), MAX_DELAY_MS))


def _record(state: State, failure: Failure) -> FailureRecord:
    return FailureRecord(
        cause=failure.cause,
        error=failure.error,
        message=failure.message,
        at_ms=failure.at_ms,
        attempt=state.attempt,
        ran_ms=failure.ran_ms,
        host=failure.host,
        worker=failure.worker,
        stack=failure.stack,
        peak_rss_bytes=failure.peak_rss_bytes,
        evidence=failure.evidence,
        generation=failure.generation,
    )


def exception_names(kind: type[BaseException]) -> tuple[str, ...]:
    """The names by which retry_on and discard_on may mean an exception: its class and its bases."""
    names = []
    for base in kind.__mro__[:-1]:
        names += [base.__name__, f"{base.__module__}.{base.__qualname__}"]
    return tuple(names)

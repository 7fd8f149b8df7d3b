"""What becomes of an attempt that did not succeed: it is described, decided and moved in Redis, at once.

The performer calls. Until Redis has answered, the entry stays STARTED on the page and its lease is renewed;
killed in between, the worker leaves a Death whose handling finds the entry moved, or moves it.
"""

import math
import time
import traceback
from collections.abc import Callable
from random import Random
from typing import Any, TypeVar

import msgspec

from ganger.cluster import Cluster
from ganger.errors import (
    BadArguments,
    GangerError,
    JobTimeout,
    NotNow,
    ScriptFailed,
    ServerFull,
    UnknownType,
)
from ganger.job import Entry, clip
from ganger.operations import failing, track, unique
from ganger.retry import Bury, Discard, Failure, Policy, Retry, exception_names
from gangerd import log
from gangerd.page import PageWriter
from gangerd.recorder import Counter, Phase, Word
from gangerd.worker.allowance import NOTHING, Told
from gangerd.worker.hand import Hand

T = TypeVar("T")
_PAUSE_S = 0.2
_LEADING = ("gangerd.", "ganger.", "asyncio.")
"""Modules between the worker's loop and a handler's first frame."""
HOPELESS_TRIES = 25
LINGER_MS = 60_000
"""How much longer a result is kept than the end that names it: they are not of the same instant."""
_LONGEST_S = 1e9


class Report:
    """`consumer` is the master's incarnation; `host` and `worker` are for people; `max_result_bytes` is the
    largest result that is kept."""

    def __init__(
        self,
        cluster: Cluster,
        page: PageWriter,
        hand: Hand,
        consumer: str,
        host: str,
        worker: str,
        max_result_bytes: int,
        pause: Callable[[float], None],
    ) -> None:
        self._cluster = cluster
        self._page = page
        self._hand = hand
        self._consumer = consumer
        self._host = host
        self._worker = worker
        self._max_result_bytes = max_result_bytes
        self._pause = pause
        self._rng = Random()

    def failed(
        self,
        index: int,
        entry: Entry,
        policy: Policy,
        error: BaseException,
        ran_ms: int,
        told: Told = NOTHING,
    ) -> None:
        """The attempt ended with this error: retry, dead letter or gone, as the policy says."""
        generation = self._page.words[Word.GENERATION]
        failure = describe(error, ran_ms, self._host, self._worker, told, generation)
        self._ran()
        verdict = self._until_answered(
            entry, lambda: failing.fail(self._cluster, entry, self._consumer, policy, failure, self._rng)
        )
        self._hand.gone(index)
        if verdict is not None:
            self._tell(entry, failure, verdict)
        self._page.enter(Phase.RUNNING, time.monotonic_ns())

    def _tell(self, entry: Entry, failure: Failure, verdict: failing.Verdict) -> None:
        self._count(failure, verdict)
        log.get().warning(
            log.JOB_FAILED,
            jid=entry.jid,
            type=entry.type,
            queue=entry.partition.queue,
            attempt=entry.state.attempt,
            cause=failure.cause,
            generation=failure.generation,
            error=f"{failure.error}: {failure.message}"[:500],
            peak_rss_bytes=failure.peak_rss_bytes,
            evidence=failure.evidence or None,
            next=type(verdict.decision).__name__.lower(),
            outcome=str(verdict.outcome),
        )

    def unlock(self, entry: Entry, digest: str) -> None:
        """The job starts, and is unique until then: others of its kind may wait from now on. Crash point:
        freed and not run, it is retried without the lock, as a job that has started."""
        self._until_answered(entry, lambda: unique.unlock(self._cluster, entry.partition, digest, entry.jid))

    def finished(
        self, index: int, entry: Entry, ttl_ms: int, returned: Any, ran_ms: int, peak_rss_bytes: int
    ) -> None:
        """A tracked job has succeeded: its result is put beside it, then its end names it, in one script with
        the settling. Crash points: before the result, between the two, and with a reply lost, the entry is
        still there and the job runs again, or is gone and has succeeded with its result; a result that no end
        names expires."""
        self._ran()
        word = self._until_answered(entry, lambda: self._put(entry, returned, ttl_ms))
        told = word or track.refused("its result could not be stored")
        settled = self._until_answered(
            entry,
            lambda: track.finish(self._cluster, entry, ran_ms, told, peak_rss_bytes=peak_rss_bytes),
        )
        self._hand.gone(index)
        self._page.counters[Counter.SUCCEEDED if settled else Counter.STALE] += 1
        self._page.enter(Phase.RUNNING, time.monotonic_ns())

    def _put(self, entry: Entry, returned: Any, ttl_ms: int) -> str:
        """The result as the job's end tells of it."""
        if returned is None:
            return track.NONE
        try:
            data = msgspec.json.encode(returned)
        except Exception as error:  # whatever it is: the job has succeeded
            return track.refused(f"what it returned is no JSON: {clip(str(error), 200)}")
        if len(data) > self._max_result_bytes:
            most = self._max_result_bytes
            return track.refused(f"its result of {len(data)} bytes is more than max_result_bytes = {most}")
        try:
            return track.put_result(self._cluster, entry, data, ttl_ms + LINGER_MS)
        except ServerFull:
            return track.refused("its result could not be stored: the server was full")

    def _ran(self) -> None:
        """The run is over, its report is not: no deadline holds for that, or Redis away for longer than the
        job's own time would end it once more, as a timeout that it never had."""
        self._page.lift_deadlines()
        self._page.enter(Phase.SETTLING, time.monotonic_ns())

    def _until_answered(self, entry: Entry, call: Callable[[], T]) -> T | None:
        """Repeat while Redis is out of reach: the outcome must get there, and the lease is renewed meanwhile.
        The end of it, if Redis stays away, is the end of this worker's drain. None for what no repetition
        brings there (a key that is not what it should be): the lease runs out, and this worker goes on."""
        hopeless = 0
        while True:
            try:
                return call()
            except GangerError as error:
                hopeless += isinstance(error, ScriptFailed)
                if hopeless >= HOPELESS_TRIES:
                    log.get().error(log.INTERNAL_ERROR, what="a report", jid=entry.jid, error=str(error))
                    return None
                log.get().warning(log.REDIS_DOWN, error=str(error))
                self._pause(_PAUSE_S)

    def _count(self, failure: Failure, verdict: failing.Verdict) -> None:
        counters = self._page.counters
        if verdict.outcome is not failing.Outcome.MOVED:
            counters[Counter.STALE] += 1
            return
        counters[Counter.FAILED] += 1
        if failure.cause == "timeout":
            counters[Counter.TIMEOUTS] += 1
        match verdict.decision:
            case Retry():
                counters[Counter.RETRIED] += 1
            case Bury():
                counters[Counter.DEAD] += 1
            case Discard():
                counters[Counter.EXHAUSTED] += 1


def describe(
    error: BaseException, ran_ms: int, host: str, worker: str, told: Told = NOTHING, generation: int = 0
) -> Failure:
    """The failure as it is kept with the job: cause, class, text, the handler's part of the traceback, what
    is known of its memory."""
    return Failure(
        cause=_cause(error),
        error=type(error).__name__,
        message=_text(error),
        at_ms=time.time_ns() // 1_000_000,
        ran_ms=ran_ms,
        host=host,
        worker=worker,
        stack=_stack(error),
        peak_rss_bytes=told.peak_bytes,
        evidence=told.evidence,
        generation=generation,
        delay_s=_delay_s(error),
        # Another is at its block, or a limit is reached: this attempt has done nothing that could be used up.
        uses_attempt=False if isinstance(error, NotNow) else None,
        names=exception_names(type(error)),
    )


def _delay_s(error: BaseException) -> float | None:
    """What the exception asks for, if that is a number of seconds."""
    try:
        delay_s = getattr(error, "retry_in_s", None)
    except Exception:
        return None
    if isinstance(delay_s, int | float) and 0 <= delay_s < math.inf:
        return float(min(delay_s, _LONGEST_S))
    return None


def _cause(error: BaseException) -> str:
    match error:
        case JobTimeout():
            return "timeout"
        case UnknownType():
            return "unknown_type"
        case BadArguments():
            return "bad_arguments"
    return "exception"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:
        return f"<its text can't be had: {type(broken).__name__}>"


def _stack(error: BaseException) -> str:
    """From the handler's own frame on: those that lead to it are the same for every job."""
    try:
        first = error.__traceback__
        while first and first.tb_frame.f_globals.get("__name__", "").startswith(_LEADING):
            first = first.tb_next
        return "".join(traceback.TracebackException(type(error), error, first, limit=-50).format())
    except Exception as broken:
        return f"<its traceback can't be had: {type(broken).__name__}>"

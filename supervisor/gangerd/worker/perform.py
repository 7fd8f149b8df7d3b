"""One attempt at one job: decode, start, call the handler under its time limit, tell how it ended.

A success is noted in the page and settled with the next trip; any other end is reported to Redis at once
(report.py). The worker loop calls. The master watches the deadlines written here: it knocks at the soft one
(overdue.py) and kills at the hard one.

Crash points. Before `start` commits, the entry is HELD and goes back without an attempt. From there to `DONE`
it is STARTED: a death now is this job's own. Between DONE and the settle it is finished: the host settles it
from the page, it does not run again.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from ganger.actor import Actor, registered
from ganger.current import enter, leave
from ganger.errors import BadArguments, UnknownType
from ganger.job import Body, Entry, read_body
from ganger.keeping import Keeper
from ganger.label import NO_LABEL, Label
from ganger.middleware import Attempt, wraps_attempts
from ganger.options import check_timeout
from ganger.retry import Policy
from ganger.sealing import discreet, open_body
from gangerd.linux import title
from gangerd.page import PageWriter
from gangerd.recorder import HISTOGRAM, Counter, Word
from gangerd.worker.allowance import LONG_NS, Allowance
from gangerd.worker.coroutines import Coroutines
from gangerd.worker.costs import Costs
from gangerd.worker.hand import Hand
from gangerd.worker.overdue import SoftTimeout, call_handler
from gangerd.worker.report import Report
from gangerd.worker.wrapped import Inner, call_wrapped

_STARTED, _SUCCEEDED, _RUN_US = int(Counter.STARTED), int(Counter.SUCCEEDED), int(Counter.RUN_US)
_BUSY_NS, _PEAKS_ARE_RUNS = int(Counter.BUSY_NS), int(Word.PEAKS_ARE_RUNS)
_NS = 1_000_000_000
_LONG_US = 1 << HISTOGRAM - 2


@dataclass(frozen=True, slots=True)
class Plan:
    """How jobs of one type run here, worked out once per type (and anew for a push that overrides
    something)."""

    call: Callable[..., Any]
    bind: Callable[..., tuple[Sequence[Any], Mapping[str, Any]]]
    policy: Policy
    is_async: bool
    soft_ns: int
    hard_ns: int
    memory_bytes: int
    own_memory_bytes: int
    """What its type asks for, 0 for nothing: then the worker's limit holds, which is memory_bytes."""


class Performer:
    """`slot` goes into the process title; `memory_bytes` is the limit of types that set none (0: no
    limit); `memory` is this process's own, None where it is no worker's."""

    def __init__(
        self,
        page: PageWriter,
        hand: Hand,
        costs: Costs,
        report: Report,
        keeper: Keeper,
        slot: int,
        memory_bytes: int,
        memory: Allowance | None = None,
    ) -> None:
        self._page = page
        self._hand = hand
        self._costs = costs
        self._report = report
        self._title = title.Title(f"ganger: worker {slot}")
        self._plans = {kind: plan(actor, memory_bytes) for kind, actor in registered().items()}
        self._shown = ""
        self._pid = os.getpid()
        self._keeper = keeper
        self._memory = memory or Allowance()
        self._coroutines = Coroutines()
        self._is_wrapped = wraps_attempts()
        self.soft = SoftTimeout()

    def perform(self, index: int) -> None:
        """Run entry `index` of the hand, unless the host took it back; afterwards it is done or reported."""
        entry = self._hand.entries[index]
        known, body, label = self._prepare(entry)
        started_ns = time.monotonic_ns()
        soft_ns = started_ns + known.soft_ns
        self._page.set_deadlines(started_ns, soft_ns, started_ns + known.hard_ns, known.memory_bytes)
        if not self._hand.start(index):
            return
        if label.until_start and label.unique is not None:
            self._report.unlock(entry, label.unique)
        self._page.counters[_STARTED] += 1
        if known.own_memory_bytes:
            self._memory.grant(known.own_memory_bytes)
        returned, error = self._attempt(entry, known, body, soft_ns)
        if known.own_memory_bytes:
            self._memory.take_back()
        ran_ns = time.monotonic_ns() - started_ns
        self._count(entry.type, ran_ns)
        if self._keeper.held_back is not None:
            self._keeper.flush()
        if error is None and label.track_ms is not None:
            peak = self._memory.told().peak_bytes
            self._report.finished(index, entry, label.track_ms, returned, ran_ns // 1_000_000, peak)
        elif error is None:
            self._hand.succeeded(index)
            self._page.counters[_SUCCEEDED] += 1
        else:
            told = self._memory.told()
            self._report.failed(index, entry, known.policy, error, ran_ns // 1_000_000, told)
        if ran_ns > LONG_NS:
            self._memory.begin_anew()
            self._page.words[_PEAKS_ARE_RUNS] = self._memory.peaks_are_runs

    def rest(self) -> None:
        """Nothing runs: say so in the process title."""
        self._shown = ""
        self._title.show("idle")

    def close(self) -> None:
        """No more jobs, in a process that lives on."""
        self._coroutines.close()

    def _prepare(self, entry: Entry) -> tuple[Plan, Body, Label]:
        """The plan, the body and its label; what is wrong with them fails as the attempt, with its own
        cause."""
        known = self._plans.get(entry.type)
        if known is None:
            known = _refusing(UnknownType(f"this app has no job type {entry.type!r}"), Policy())
        try:
            label, body = read_body(entry.body)
            if body.overrides:
                known = _overridden(known, body.overrides)
        except Exception as error:
            # Whatever it is (nested too deep, a number no clock holds): the entry is not started yet, and an
            # exception here would end one worker after the other without an attempt used.
            refusing = _refusing(BadArguments(f"the job's body can't be read: {error}"), known.policy)
            return refusing, Body(), NO_LABEL
        return known, body, label

    def _attempt(
        self, entry: Entry, known: Plan, body: Body, soft_ns: int
    ) -> tuple[Any, BaseException | None]:
        """Call the handler; what it returned, or what it raised. SystemExit and KeyboardInterrupt are a job's
        failures like any other: neither ends the worker. What it sets of contextvars ends with it."""
        if entry.type != self._shown:
            self._shown = entry.type
            self._title.show(entry.type)
        queue, headers = entry.partition.queue, body.headers
        enter(entry.jid, entry.state.attempt, entry.type, queue, headers, entry, self._keeper)
        try:
            if body.sealed:
                body = open_body(entry.type, body)
                known = replace(known, bind=discreet(entry.type)(known.bind))
            if self._is_wrapped:
                return self._wrapped(entry, known, body, soft_ns), None
            args, kwargs = known.bind(body.args, body.kwargs)
            if known.is_async:
                returned = self._coroutines.run(
                    lambda: known.call(*args, **kwargs), soft_ns, known.soft_ns / _NS
                )
            else:
                self.soft.arm(soft_ns, known.soft_ns / _NS)
                returned = copy_context().run(call_handler, known.call, args, kwargs)
            return returned, None
        except BaseException as error:
            return None, error
        finally:
            self.soft.disarm()
            leave()
            if os.getpid() != self._pid:
                _leave_as_child()

    def _wrapped(self, entry: Entry, known: Plan, body: Body, soft_ns: int) -> Any:
        """The same with middlewares around it, which a JobTimeout interrupts as it does a handler."""
        job = Attempt(
            jid=entry.jid,
            type=entry.type,
            queue=entry.partition.queue,
            attempt=entry.state.attempt,
            args=body.args,
            kwargs=body.kwargs,
            headers=body.headers,
        )
        coroutines = self._coroutines if known.is_async else None
        timeout_s = known.soft_ns / _NS
        self.soft.arm(soft_ns, timeout_s)
        return copy_context().run(
            call_wrapped, job, Inner(job, known.bind, known.call, coroutines, soft_ns, timeout_s)
        )

    def _count(self, kind: str, ran_ns: int) -> None:
        counters = self._page.counters
        counters[_BUSY_NS] += ran_ns
        ran_us = ran_ns // 1000
        counters[_RUN_US + (ran_us.bit_length() if ran_us < _LONG_US else HISTOGRAM - 1)] += 1
        self._costs.ran(kind, ran_us)


def plan(actor: Actor[Any, Any], memory_bytes: int) -> Plan:
    """How jobs of this type run."""
    options = actor.defaults
    soft_ns = int(options.timeout * _NS)
    return Plan(
        call=actor.function,
        bind=actor.bind,
        policy=actor.policy,
        is_async=actor.is_async,
        soft_ns=soft_ns,
        hard_ns=soft_ns + int(options.grace * _NS),
        memory_bytes=options.memory or memory_bytes,
        own_memory_bytes=options.memory or 0,
    )


def _overridden(known: Plan, overrides: dict[str, Any]) -> Plan:
    """The plan with what one push asked for. Raises msgspec.ValidationError, BadOptions for
    overrides that make no sense."""
    policy = Policy.from_manifest(msgspec.to_builtins(known.policy), overrides)
    check_timeout(policy.timeout)
    grace_ns = known.hard_ns - known.soft_ns
    soft_ns = int(policy.timeout * _NS) if "timeout" in overrides else known.soft_ns
    return replace(known, policy=policy, soft_ns=soft_ns, hard_ns=soft_ns + grace_ns)


def _refusing(error: Exception, policy: Policy) -> Plan:
    """A plan whose attempt fails with this error before anything of the app's runs."""

    def bind(*_: Any) -> Any:
        raise error

    return Plan(
        bind, bind, policy, is_async=False, soft_ns=_NS, hard_ns=2 * _NS, memory_bytes=0, own_memory_bytes=0
    )


def _leave_as_child() -> None:
    """The handler forked and its child came back here: it is no worker, or every following job would run
    twice."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)

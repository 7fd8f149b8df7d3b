"""Sorts every job of a chaos run, and finds what may not be: the rules about one job at a time.

PURE. The rules go by the numbers of docs/proof.md: I1 to I5, I7 and I12 are here, those about many jobs
together in groups.py. A violation is a sentence; the tables of tests/chaos/test_checker.py plant each.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaos.evidence import REPLAYED, Evidence, S
from chaos.history import ACKED, CANCELLED, FAILED, UNKNOWN, Asked, History, Run
from chaos.kinds import BY_CODE, UNPUSHED, Kind

CRASH_LIMIT = 3
LOST_LIMIT = 5
GRACE_MS = 2000
"""How much later than its expiry a job that was claimed in time may begin."""
LIFE_MS = 2000
"""The longest that producer.py lets a job wait that expires."""


@dataclass(frozen=True, slots=True)
class Violation:
    rule: str
    text: str
    jid: str = ""


@dataclass
class Final:
    """What the servers and the machine held when all was drained."""

    dead: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """jid -> {crashes, causes} of the dead letters."""
    counters: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By queue."""
    left: Mapping[str, int] = field(default_factory=dict)
    """Jobs that have not ended, by queue."""
    leaks: Sequence[str] = ()
    """Sentences."""
    live_batches: Sequence[str] = ()
    """Those that the scheduler still looks at."""
    replayed: int | None = None
    """How many jobs the run over the past has moved, by its own account."""


@dataclass
class Findings:
    sorts: Counter[str] = field(default_factory=lambda: Counter({"lost": 0, "duplicated": 0}))
    """How many jobs are acknowledged, unknown or refused (each pushed one is one of these), executed, lost,
    duplicated, dead, expired, cancelled, exhausted..."""
    duplicates: Counter[str] = field(default_factory=Counter)
    """Runs too many, by reason; "unexplained" is a violation."""
    stale_settles: int = 0
    """Runs that ended after a later delivery of their job had begun."""
    violations: list[Violation] = field(default_factory=list)

    def wrong(self, rule: str, text: str, jid: str = "") -> None:
        self.violations.append(Violation(rule, text, jid))


def check_jobs(history: History, evidence: Evidence, final: Final) -> Findings:
    """All rules about single jobs."""
    found = Findings()
    for jid in history.strangers:
        found.wrong("I2", "ran and was never pushed", jid)
    for jid in history.abandoned:
        found.wrong("I2", "a run neither ended nor raised, and its process went on", jid)
    for jid in final.dead.keys() - history.rows.keys():
        found.wrong("I12", "it is dead, and was never pushed", jid)
    for jid, row in history.rows.items():
        kind = BY_CODE[chr(history.code[row])]
        state, begun, ended = history.state[row], history.begun[row], history.ended[row]
        if kind.code in UNPUSHED:
            state |= ACKED if begun else 0
        found.sorts["pushed"] += 1
        found.sorts[_heard(state)] += 1
        found.sorts["executed"] += bool(begun)
        if state & FAILED and begun:
            found.wrong("I2", f"{kind.name}: its push had surely failed, and it ran", jid)
        if (begun, ended) == (1, 1) and kind.bulky and jid not in final.dead:
            continue
        runs = history.runs.get(jid, [])
        if state & ACKED or begun:
            _fate(found, history, evidence, final, jid, kind, runs)
        if runs:
            _runs(found, evidence, jid, kind, runs)
    return found


def _heard(state: int) -> str:
    """What its producer heard of its push; one that died before it heard anything knows nothing either."""
    if state & ACKED:
        return "acknowledged"
    return "refused" if state & FAILED and not state & UNKNOWN else "unknown"


def _fate(
    found: Findings,
    history: History,
    evidence: Evidence,
    final: Final,
    jid: str,
    kind: Kind,
    runs: list[Run],
) -> None:
    """I1: an acknowledged job has ended, and as its kind must. Of one whose push is unknown that has begun,
    the same, unless a failover forgot it."""
    state = history.state[history.rows[jid]]
    acked = bool(state & ACKED)
    succeeded = any(run.ok for run in runs)
    letter = final.dead.get(jid)
    if letter is not None:
        found.sorts["dead"] += 1
        cut = sum(not run.end_ns or evidence.ended_with(run) for run in runs)
        # Its worker may have been killed when it had taken it up, and the handler had not noted its begin.
        crashed = CRASH_LIMIT <= letter["crashes"] <= cut + 1
        lost = LOST_LIMIT <= letter["causes"].count("lost") <= cut + len(evidence.judged.get(jid, ())) + 1
        poisoned = crashed or lost
        if kind.fate == "exhausted" and not cut:
            found.wrong("I12", f"{kind.name}: it is dead, and nothing killed its workers", jid)
        elif kind.fate not in ("dead", "exhausted") and not poisoned:
            found.wrong("I12", f"{kind.name}: it is dead for no reason: {dict(letter)}", jid)
    elif state & CANCELLED:
        found.sorts["cancelled"] += 1
        if runs and not evidence.unsaid(jid, history.cancelled_ns[jid], runs[-1].begin_ns):
            found.wrong("I2", f"{kind.name}: it ran though its cancel had been answered", jid)
    elif succeeded:
        if kind.fate in ("dead", "exhausted"):
            found.wrong("I1", f"{kind.name}: it has succeeded", jid)
    elif kind.fate == "exhausted" and any(run.attempt == kind.retry + 1 for run in runs):
        found.sorts["exhausted"] += 1
    elif kind.fate == "done or expired" and not runs:
        found.sorts["expired"] += 1
    elif not acked and evidence.forgotten(jid, runs[0].begin_ns, runs[-1].begin_ns):
        found.sorts["unknown, and gone in a failover"] += 1
    else:
        found.sorts["lost"] += 1
        so_far = ", ".join(f"attempt {run.attempt} {_how(run)}" for run in runs[-4:]) or "it never ran"
        found.wrong("I1", f"{kind.name}: it has not come to an end: {so_far}", jid)
    asked = history.asked.get(jid)
    if asked is not None and runs:
        row = history.rows[jid]
        spent_ns = (history.pushed_ns[row], history.acked_ns[row])
        _in_its_time(found, evidence, jid, kind, asked, spent_ns, runs)


def _in_its_time(
    found: Findings,
    evidence: Evidence,
    jid: str,
    kind: Kind,
    asked: Asked,
    spent_ns: tuple[int, int],
    runs: list[Run],
) -> None:
    """I5 and I7: neither before it is due nor after its time is over, but by as much as its node's clock was
    not right meanwhile, or as who had claimed it in time stood still. Its time counts from its arrival: when
    that was is known of an acknowledged push alone, and that there was a wait before it of none."""
    pushed_ns, acked_ns = spent_ns
    if asked.expires_ms and acked_ns:
        for run in runs:
            late_ms = (run.begin_ns - acked_ns) // 1_000_000 - _life_ms(asked)
            stood_ms = evidence.stood_ms(run, late_ms)
            wrong_ms = evidence.wrong_by_ms(jid, pushed_ns, run.begin_ns)
            if run.attempt == 1 and late_ms > GRACE_MS + max(stood_ms, wrong_ms):
                found.wrong("I7", f"{kind.name}: it began {late_ms} ms after its time was over", jid)
    early_ms = asked.due_ms - runs[0].wall_ms
    if asked.due_ms and early_ms > 1 + evidence.wrong_by_ms(jid, pushed_ns, runs[0].begin_ns):
        found.wrong("I5", f"{kind.name}: it began {early_ms} ms before it was due", jid)


def _life_ms(asked: Asked) -> int:
    """How long it may wait; the longest that any may when its push did not say."""
    return int(asked.extra) if asked.extra.isdigit() else LIFE_MS


def _how(run: Run) -> str:
    return "succeeded" if run.ok else "raised" if run.end_ns else "was cut short"


def _runs(found: Findings, evidence: Evidence, jid: str, kind: Kind, runs: list[Run]) -> None:
    """I3 and I4: each run after the first has a reason."""
    reasons = set[str]()
    for place, again in enumerate(runs):
        if again.last and not again.end_ns and evidence.death_of(again) is None:
            found.wrong("I2", f"{kind.name}: a run has no end, and nobody saw its process die", jid)
        if again.attempt > kind.retry + 1:
            found.wrong("I4", f"{kind.name}: attempt {again.attempt}, and {kind.retry} retries", jid)
        if not place:
            continue
        twin = next((r for r in runs[:place] if r.entry == again.entry and r.process != again.process), None)
        # Who took over may not have known that it was handed out, or an old primary went on.
        excused = twin is not None and (
            evidence.took_along(jid, twin.begin_ns, twin.begin_ns, again.begin_ns + 3 * S)
            or evidence.went_on(jid, twin)
        )
        if twin is not None and not excused:
            found.wrong("I3", f"{kind.name}: one delivery, {again.entry}, began in two processes", jid)
        before = _in_the_way(evidence, runs[:place], again)
        if before is None:
            found.sorts["run again after a death"] += not runs[place - 1].end_ns
            continue
        reason = evidence.why_again(jid, before, again) or "unexplained"
        reasons.add(reason)
        found.duplicates[reason] += 1
        found.stale_settles += before.end_ns > again.begin_ns
        if reason == "unexplained":
            gap = (again.begin_ns - (before.end_ns or before.begin_ns)) / S
            text = f"{kind.name}: it began again {gap:.3f} s after a run that {_how(before)}"
            found.wrong("I3", f"{text}; attempts {before.attempt} and {again.attempt}", jid)
    found.sorts["duplicated"] += bool(reasons)
    found.sorts["duplicated by the rewind alone"] += reasons == {REPLAYED}


def _in_the_way(evidence: Evidence, earlier: list[Run], again: Run) -> Run | None:
    """The earlier run beside or after which this one should not have begun: one without an end went on until
    its process died."""
    for before in reversed(earlier):
        over_ns = before.end_ns or evidence.death_of(before)
        if over_ns is None or over_ns > again.begin_ns or before.ok:
            return before
        if before.end_ns and before.attempt >= again.attempt:
            return before
    return None

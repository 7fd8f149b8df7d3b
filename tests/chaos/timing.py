"""When jobs must begin: ticks of cron, retries, callbacks of batches, and whoever waits in a partition.

PURE, beside checker.py, groups.py and serving.py: the lower bound of a retry (I5), batches that were never
committed and ticks that are missing (I10), jobs that those behind them pass by (I11) of docs/proof.md.
"""

from collections import defaultdict
from itertools import pairwise

from chaos.checker import Final, Findings
from chaos.evidence import Evidence, S, slot_of
from chaos.history import ACKED, CANCELLED, UNKNOWN, History
from chaos.kinds import AFTER_S, BY_CODE, BY_NAME, NARROW
from ganger import jid as jids

MINUTE_MS = 60_000
LATE_NS = 5 * S
"""So long before the end of a run a tick may come, and its job not be pushed."""
EARLY_MS = 5
"""So much earlier than its time a retry may begin: clocks count whole milliseconds."""
PASSED_NS = 60 * S
"""So long may a job be passed by those behind it in its partition while neither its node is replaced nor the
leading scheduler: a lease and its judge, who must have seen it for as long, are 31 s. The longest in three
hours was 30 s."""
RETRIED = frozenset("fqxkt")
"""Kinds whose attempts end by raising, and are made again AFTER_S later."""


def check_timing(
    found: Findings, history: History, evidence: Evidence, final: Final, span: tuple[int, int]
) -> None:
    """Add what is wrong to the findings. `span`: from when to when hosts served and producers pushed."""
    _ticks(found, history, evidence, final, span)
    _retries(found, history, evidence)
    _uncommitted(found, history)
    _passed(found, history, evidence)


# ---- I10 -----------------------------------------------------------------------------------------------


def _ticks(
    found: Findings, history: History, evidence: Evidence, final: Final, span: tuple[int, int]
) -> None:
    """Each minute has become a job, which has run."""
    runs = [run for jid in history.of_kind(BY_NAME["ticks"].code) for run in history.runs.get(jid, ())]
    clock = next((run for runs in history.runs.values() for run in runs), None)
    if clock is None:
        return
    apart_ms = clock.wall_ms - clock.begin_ns // 1_000_000
    ran = {run.extra for run in runs}
    since, until = (at // 1_000_000 + apart_ms for at in (span[0], span[1] - LATE_NS))
    of_dead = {tick for tick, jid, _ in evidence.fired if jid in final.dead}
    for tick in range(-(-since // MINUTE_MS) * MINUTE_MS, until + 1, MINUTE_MS):
        if str(tick) not in ran and tick not in of_dead:
            found.wrong("I10", f"tick {tick} became no job that ran")


def _uncommitted(found: Findings, history: History) -> None:
    """No callback begins before its batch is about to be committed."""
    for name in ("all_ended", "all_succeeded"):
        for jid in history.of_kind(BY_NAME[name].code):
            for run in history.runs[jid]:
                since_ns = history.committing.get(run.extra)
                known = since_ns is not None or run.extra in history.committed
                if not known or run.begin_ns < (since_ns or 0):
                    found.wrong("I10", f"batch {run.extra}: {name} began before it was committed", jid)


# ---- I5 ------------------------------------------------------------------------------------------------


def _retries(found: Findings, history: History, evidence: Evidence) -> None:
    """The next attempt begins no sooner after a failure than its kind waits, but by as much as the clock of
    its node was stepped meanwhile."""
    for jid, runs in history.runs.items():
        kind = BY_CODE[chr(history.code[history.rows[jid]])]
        if kind.code not in RETRIED:
            continue
        for place, again in enumerate(runs):
            failed = [
                run.end_ns
                for run in runs[:place]
                if run.attempt == again.attempt - 1 and run.end_ns and not run.ok
            ]
            if not failed:
                continue  # its worker died: it goes back at once
            early_ms = (min(failed) - again.begin_ns) // 1_000_000 + int(AFTER_S * 1000)
            if early_ms > EARLY_MS + evidence.wrong_by_ms(jid, min(failed), again.begin_ns):
                text = f"attempt {again.attempt} began {early_ms} ms before it was due"
                found.wrong("I5", f"{kind.name}: {text}", jid)


# ---- I11 -----------------------------------------------------------------------------------------------


def _passed(found: Findings, history: History, evidence: Evidence) -> None:
    """Whoever waits in a partition begins before those that came later, unless it was in the hands of
    somebody. Not of the limited queue, where jobs wait for permits."""
    leaders = [*evidence.events["leader.won"], *evidence.events["leader.lost"]]
    for waiting in _by_partition(history).values():
        waiting.sort()
        passed_ns = 1 << 62
        for ready_ns, begin_ns, jid in reversed(waiting):
            since_ns = max(ready_ns, passed_ns)
            if begin_ns - since_ns > PASSED_NS:
                quiet_s = _quiet_ns(evidence, leaders, jid, since_ns, begin_ns) / S
                if quiet_s > PASSED_NS / S:
                    text = f"for {quiet_s:.0f} s others began that came later, and no judge had to begin anew"
                    found.wrong("I11", text, jid)
            passed_ns = min(passed_ns, begin_ns)


def _by_partition(history: History) -> dict[tuple[str, int], list[tuple[int, int, str]]]:
    """Queue and partition -> of each acknowledged job there: since when it was ready, its begin, jid."""
    found: dict[tuple[str, int], list[tuple[int, int, str]]] = defaultdict(list)
    for jid, row in history.rows.items():
        begin_ns, ready_ns = history.first_ns[row], history.acked_ns[row]
        kind = BY_CODE[chr(history.code[row])]
        certain = history.state[row] & (ACKED | UNKNOWN | CANCELLED) == ACKED
        if not certain or not begin_ns or kind.queue == NARROW:
            continue
        if jid in history.asked and (due_ms := history.asked[jid].due_ms):
            ready_ns = max(ready_ns, begin_ns - (history.runs[jid][0].wall_ms - due_ms) * 1_000_000)
        found[kind.queue, jids.partition_of(jid)].append((ready_ns, begin_ns, jid))
    return found


def _quiet_ns(evidence: Evidence, leaders: list[int], jid: str, since_ns: int, until_ns: int) -> int:
    """The longest time in between in which neither its slot failed over nor the leader changed."""
    slot = slot_of(jid)
    moved = [at for at, stretches in evidence.failovers if any(a <= slot <= b for a, b in stretches)]
    marks = [since_ns, *sorted(at for at in (*leaders, *moved) if since_ns < at < until_ns), until_ns]
    return max(after - one for one, after in pairwise(marks))

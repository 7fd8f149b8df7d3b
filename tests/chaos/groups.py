"""The rules about many jobs together: unique ones, a limit, batches, ticks, replays, expiry, leaks.

PURE, and the second half of checker.py: of docs/proof.md I6, I8, I10, I14, I15, and I7 of jobs that never
ran. The counters are held against the history by totals.py.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from chaos.checker import Final, Findings
from chaos.ends import PROCESSES
from chaos.evidence import Evidence, S
from chaos.history import ACKED, History, Run
from chaos.kinds import BY_NAME, CONCURRENCY, HOSTS, KEPT, LONG_LIFE_MS
from ganger.jid import partition_of

QUIET_NS = 60 * S
"""With nothing struck for so long, no lease may run out."""
FROZEN_NS = 7 * S
"""Whoever stood still for so long may have lost its permit without knowing it."""
TOLD_NS = 3 * S
"""So long after a permit was lost its host may say so: and the run is over, or about to be."""
CALM_NS = 20 * S
MARGIN_MS = 20
_CODE = {name: kind.code for name, kind in BY_NAME.items()}


def check_groups(found: Findings, history: History, evidence: Evidence, final: Final) -> None:
    """Add what is wrong to the findings."""
    _unique(found, history, final)
    _limit(found, history, evidence)
    _batches(found, history, evidence, final)
    _ticks(found, history, evidence)
    _replay(found, history, evidence, final)
    _passed_over(found, history, evidence)
    for jid, instants in evidence.judged.items():
        if not all(evidence.struck(at_ns - QUIET_NS, at_ns) for at_ns in instants):
            found.wrong("I3", "its lease was taken from its holder though nothing had been struck", jid)
    for leak in final.leaks:
        found.wrong("I14", leak)


def _unique(found: Findings, history: History, final: Final) -> None:
    """I6: a job of a key is acknowledged only when the one before it has ended."""
    by_key: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for jid in history.of_kind(_CODE["single"]):
        row = history.rows[jid]
        if history.state[row] & ACKED and jid in history.asked:
            # An answer may be heard when the job has ended long since: it was let in before that.
            let_in_ns = min(history.acked_ns[row], _first_end(history, final, jid) or history.acked_ns[row])
            by_key[history.asked[jid].extra].append((let_in_ns, jid))
    for key, pushed in by_key.items():
        pushed.sort()
        for (_, jid), (next_ns, following) in pairwise(pushed):
            end_ns = _first_end(history, final, jid)
            if jid not in final.dead and (not end_ns or end_ns > next_ns):
                found.wrong("I6", f"key {key}: {following} was let in while it had not ended", jid)


def _limit(found: Findings, history: History, evidence: Evidence) -> None:
    """I8: never more than the limit run at once, but for those who may have lost their own permits
    unknowingly."""
    changes: list[tuple[int, int, Run]] = []
    for jid in history.of_kind(_CODE["narrow"]):
        for run in history.runs.get(jid, ()):
            # One whose death nobody saw after its begin is over at once, and not there for ever.
            end_ns = run.end_ns or max(evidence.died_ns(run), run.begin_ns + 1)
            changes += [(run.begin_ns, 1, run), (end_ns, -1, run)]
    changes.sort(key=lambda change: (change[0], change[1]))
    inside: list[Run] = []
    for at_ns, change, run in changes:
        if change < 0:
            if run in inside:
                inside.remove(run)
            continue
        inside.append(run)
        if len(inside) <= CONCURRENCY:
            continue
        holding = [each for each in inside if not _permitless(evidence, each, at_ns)]
        if len(holding) <= CONCURRENCY:
            found.sorts["beyond the limit, explained"] += 1
        else:
            found.wrong("I8", f"{len(holding)} jobs of the narrow queue ran at once, {CONCURRENCY} may")


def _permitless(evidence: Evidence, run: Run, at_ns: int) -> bool:
    """Whether this run may have lost its permit by then: its host has said so of it, or it goes on for longer
    than a permit that nobody renews, and who was to run or renew it stood still meanwhile."""
    if any(run.begin_ns <= lost <= at_ns + TOLD_NS for lost in evidence.permits_lost.get(run.pid, ())):
        return True
    return at_ns - run.begin_ns > FROZEN_NS and evidence.was_hampered(run, run.begin_ns, at_ns)


def _passed_over(found: Findings, history: History, evidence: Evidence) -> None:
    """I7: an acknowledged job that has expired had no time left: its like was pushed into the same partition
    after it, and began before its time was over, only if somebody died with it, or a clock was wrong."""
    begun: dict[int, list[tuple[int, Run]]] = defaultdict(list)
    for name in ("expires", "single"):
        for jid in history.of_kind(_CODE[name]):
            if jid in history.runs:
                pushed_ns = history.pushed_ns[history.rows[jid]]
                begun[partition_of(jid)].append((pushed_ns, history.runs[jid][0]))
    for jid in history.of_kind(_CODE["expires"]):
        row, asked = history.rows[jid], history.asked[jid]
        if jid in history.runs or not history.state[row] & ACKED:
            continue
        if asked.extra.isdigit() and int(asked.extra) >= LONG_LIFE_MS:
            found.wrong("I7", f"it had {asked.extra} ms to live, and never ran", jid)
        pushed_ns, acked_ns = history.pushed_ns[row], history.acked_ns[row]
        found.sorts["expired, nothing struck"] += not evidence.struck(pushed_ns - CALM_NS, acked_ns + 2 * S)
        ahead = [
            run
            for at_ns, run in begun[partition_of(jid)]
            if at_ns > acked_ns and run.wall_ms < asked.expires_ms - MARGIN_MS
        ]
        if ahead and not _out_of_order(evidence, jid, pushed_ns, ahead[0].begin_ns):
            found.wrong("I7", "it never ran, and one pushed after it began before its time was over", jid)


def _out_of_order(evidence: Evidence, jid: str, from_ns: int, until_ns: int) -> bool:
    """Whether somebody who may have had it in hand was struck, or the primary was another, or its clock not
    right."""
    struck = any(
        (s.name in PROCESSES or "clock" in s.name) and s.begin_ns <= until_ns and s.end_ns >= from_ns - 2 * S
        for s in evidence.strikes
    )
    if struck or evidence.failed_over(jid, from_ns - 2 * S, until_ns + 3 * S):
        return True
    spans = [span for name in HOSTS for span in evidence.hindered.get(name, ())]
    return any(begin <= until_ns and end >= from_ns for begin, end in spans)


def _first_end(history: History, final: Final, jid: str) -> int:
    """When it had first come to an end that counts; 0: nobody knows."""
    if jid in final.dead:
        return 0
    return min((run.end_ns for run in history.runs.get(jid, ()) if run.ok), default=0)


def _batches(found: Findings, history: History, evidence: Evidence, final: Final) -> None:
    """I10: of each committed batch one complete and one success callback, each after what it stands for."""
    members: dict[str, list[str]] = defaultdict(list)
    for jid in history.of_kind(_CODE["member"]):
        if history.state[history.rows[jid]] & ACKED:
            members[history.asked[jid].extra].append(jid)
    told: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in ("all_ended", "all_succeeded"):
        for jid in history.of_kind(_CODE[name]):
            for bid in {run.extra for run in history.runs.get(jid, ())}:
                told[name, bid].append(jid)
    for (name, bid), jids in told.items():
        if len(jids) > 1:
            found.wrong("I10", f"batch {bid}: {len(jids)} callbacks {name}", jids[0])
    for bid in final.live_batches:
        jids = [*members[bid], *told.get(("all_ended", bid), ()), *told.get(("all_succeeded", bid), ())]
        if bid in history.committed and not any(jid in final.dead for jid in jids):
            found.wrong("I14", f"batch {bid}: it is over, and still looked at")
    for bid in history.committed:
        complete, success = told.get(("all_ended", bid), []), told.get(("all_succeeded", bid), [])
        broken = any(jid in final.dead for jid in [*members[bid], *complete, *success])
        if not complete or not success:
            if not broken:
                found.wrong("I10", f"batch {bid}: committed, and complete or success was not called")
            continue
        begins = {
            name: history.runs[jid][0].begin_ns for name, jid in (("c", complete[0]), ("s", success[0]))
        }
        late = [jid for jid in members[bid] if _first_end(history, final, jid) > begins["c"]]
        if late and not broken:
            found.wrong("I10", f"batch {bid}: complete was called before {late[0]} had ended", late[0])
        if _first_end(history, final, complete[0]) > begins["s"]:
            found.wrong("I10", f"batch {bid}: success was called before complete had ended", success[0])


def _ticks(found: Findings, history: History, evidence: Evidence) -> None:
    """One job for a tick, but where a failover forgot both."""
    by_tick: dict[str, list[str]] = defaultdict(list)
    for jid in history.of_kind(_CODE["ticks"]):
        for tick in {run.extra for run in history.runs.get(jid, ())}:
            by_tick[tick].append(jid)
    for tick, jids in by_tick.items():
        first = min(history.runs[jid][0].begin_ns for jid in jids)
        if len(jids) > 1 and not evidence.failed_over(jids[0], first - 5 * S, first + 60 * S):
            found.wrong("I10", f"tick {tick} became {len(jids)} jobs", jids[1])


def _replay(found: Findings, history: History, evidence: Evidence, final: Final) -> None:
    """I15: what had ended before a replay runs once more, and nothing else does."""
    for begin_ns, end_ns, queue in evidence.replays:
        if queue != KEPT:
            continue
        again = 0
        for jid in history.of_kind(_CODE["kept"]):
            runs = history.runs.get(jid, [])
            before = any(run.ok and run.end_ns < begin_ns - S for run in runs)
            after = [run for run in runs if run.begin_ns > begin_ns]
            again += bool(after and any(run.ok and run.end_ns < end_ns for run in runs[: -len(after)]))
            if before and not after and jid not in final.dead and not _gone(history, evidence, jid, runs):
                found.wrong("I15", "it had ended before the replay, and did not run again", jid)
        if final.replayed is not None and again != final.replayed:
            found.wrong("I15", f"the replay has moved {final.replayed} jobs, {again} ran again")


def _gone(history: History, evidence: Evidence, jid: str, runs: Sequence[Run]) -> bool:
    """Whether it may have gone with the node that it was pushed to, which nobody was promised."""
    acked = history.state[history.rows[jid]] & ACKED
    return not acked and evidence.forgotten(jid, runs[0].begin_ns, runs[-1].begin_ns)

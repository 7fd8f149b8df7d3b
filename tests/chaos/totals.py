"""The counters of each queue against the history: what came in, and how each of it has ended.

PURE: I13 and a part of I12 and I14 of docs/proof.md. Each job's ends are what its server may have counted:
one where the history leaves no choice, several where a failover may have had it again. A total must lie
between those that surely are in it and those that may be.
"""

from collections import Counter

from chaos.checker import Final, Findings
from chaos.evidence import Evidence, S, queue_of
from chaos.history import ACKED, CANCELLED, UNKNOWN, History
from chaos.kinds import BY_CODE, QUEUES
from ganger.lifecycle import alive

ENDS = ("succeeded", "exhausted", "expired", "cancelled", "dead")
NEVER = ("skipped", "revived", "deleted", "trimmed")
"""Nobody does that here."""


def check_totals(found: Findings, history: History, evidence: Evidence, final: Final) -> None:
    """Add what is wrong to the findings."""
    sure: dict[str, Counter[str]] = {queue: Counter() for queue in QUEUES}
    maybe: dict[str, Counter[str]] = {queue: Counter() for queue in QUEUES}
    for jid, row in history.rows.items():
        queue = queue_of(jid)
        came_in = _came_in(history, evidence, jid, row)
        if came_in is False:
            continue
        ends = _ends(history, evidence, final, jid, row)
        (sure if came_in else maybe)[queue]["enqueued"] += 1
        only = came_in and len(ends) == 1
        (sure if only else maybe)[queue].update(ends)
    for queue in QUEUES:
        counters = final.counters.get(queue)
        if counters is None:
            continue
        if final.left.get(queue, 0):
            found.wrong("I14", f"queue {queue} still holds {final.left[queue]} jobs")
        if alive(counters) != final.left.get(queue, 0):
            found.wrong("I13", f"queue {queue}: the counters leave {alive(counters)} jobs: {dict(counters)}")
        for name in ("enqueued", *ENDS):
            count, low = counters.get(name, 0), sure[queue][name]
            if name == "succeeded":  # what a replay moves succeeds once more
                count -= counters.get("replayed", 0)
            if not low <= count <= low + maybe[queue][name]:
                text = f"{name} {count} times, {low} are known and {maybe[queue][name]} may be"
                found.wrong("I13", f"queue {queue}: {text}")
        for name in NEVER:
            if counters.get(name, 0):
                found.wrong("I13", f"queue {queue}: {name} {counters[name]} times, and nobody did that")
        dead, said = sum(queue_of(jid) == queue for jid in final.dead), counters.get("dead", 0)
        if dead != said:
            found.wrong("I12", f"queue {queue}: {dead} dead letters, the counters say {said}")


def _came_in(history: History, evidence: Evidence, jid: str, row: int) -> bool | None:
    """Whether it did; None: nobody knows."""
    state, first_ns = history.state[row], history.first_ns[row]
    if state & ACKED:
        return True
    if first_ns > evidence.drained_ns:
        return None  # a tick, before or after the counters were read
    if first_ns:
        return None if evidence.forgotten(jid, first_ns, first_ns) else True
    return None if state & UNKNOWN or not state else False


def _ends(history: History, evidence: Evidence, final: Final, jid: str, row: int) -> set[str]:
    """The counters of which its end has moved one; none: it can't have ended without a run."""
    kind = BY_CODE[chr(history.code[row])]
    if jid in final.dead:
        return {"dead"}
    if history.state[row] & CANCELLED:
        # A failover may have undone the cancel: the checker asks for one where it ran.
        return {"cancelled", "succeeded"} if history.begun[row] else {"cancelled"}
    otherwise = {"done or expired": "expired", "done or cancelled": "cancelled"}.get(kind.fate)
    if otherwise is None:
        usual = "exhausted" if kind.fate == "exhausted" else "succeeded"
        return {usual} if history.begun[row] else set()
    if not history.ended[row]:
        return {otherwise}
    return {"succeeded", otherwise} if _again(history, evidence, jid) else {"succeeded"}


def _again(history: History, evidence: Evidence, jid: str) -> bool:
    """Whether it may have come back when it had ended well, and ended otherwise."""
    runs = history.runs[jid]
    last_ns = max(run.end_ns for run in runs)
    if evidence.forgotten(jid, runs[0].begin_ns, last_ns) or evidence.went_on(jid, runs[0]):
        return True
    return any(at >= runs[0].begin_ns - S for at in evidence.judged.get(jid, ())) or any(
        evidence.ended_with(run) for run in runs
    )

"""Which queue was served when: nothing of a paused one, and none that waits is passed over.

PURE, beside checker.py and groups.py: I9 and I11 of docs/proof.md.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

from chaos.checker import Findings
from chaos.evidence import Evidence, S, slot_of
from chaos.history import ACKED, TICK_NS, UNKNOWN, History, Run
from chaos.kinds import BY_CODE, NAMESPACE, QUEUES
from chaos.pauses import Pause
from ganger import jid as jids
from ganger.keys import Control

IN_FLIGHT_NS = 3 * S
"""What had been claimed before a pause was answered has begun by then, on a busy machine too. (Promised are
0.3 s; what a claim brought waits 1.5 s more for a node that hangs, if that was asked in one go with it.)"""
CLAIM_NS = 5 * S
"""The longest that a claim waits for its answer, which may be on a line that is slow."""
CALM_NS = 5 * S
"""So long a queue may be passed over while nothing is struck. All workers may be at work on jobs that take
three seconds; one that gets free has turned to each of five queues within a fraction of one."""
FIRE_NS = 60 * S
"""The same in spite of strikes: all that waits of a queue may lie on a node that comes back late, or in the
hands of hosts that stand still. The longest in an hour was 11 s."""
RECOVERY_NS = 20 * S
"""A lease, and its judge: until then a strike may be felt."""
RESUMED_NS = 5 * S
"""What a resume could not reach, or a failover has lost of it, is made good by then."""
_CALM, _FIRE = CALM_NS // TICK_NS, FIRE_NS // TICK_NS


def check_serving(found: Findings, history: History, evidence: Evidence) -> None:
    """Add what is wrong to the findings."""
    _pauses(found, history, evidence)
    for queue in QUEUES:
        _turns(found, history, evidence, queue)


# ---- I9 ------------------------------------------------------------------------------------------------


def _pauses(found: Findings, history: History, evidence: Evidence) -> None:
    """I9: no run begins in a queue from the answer to its pause, and what was in flight then, until somebody
    asks that it goes on."""
    pauses = [pause for pause in evidence.pauses if pause.answered_ns]
    for jid, run in history.in_pauses:
        queue = _queue_of(history, jid)
        pause = next(p for p in pauses if p.queue == queue and p.answered_ns <= run.begin_ns < p.until_ns)
        late_ns = run.begin_ns - pause.answered_ns
        if late_ns <= IN_FLIGHT_NS or jids.partition_of(jid) not in pause.reached:
            continue
        if _is_explained(evidence, pause, jid, run):
            found.sorts["begun in a pause, explained"] += 1
        else:
            found.wrong("I9", f"queue {queue}: it began {late_ns / S:.1f} s after the queue was paused", jid)


def _queue_of(history: History, jid: str) -> str:
    return BY_CODE[chr(history.code[history.rows[jid]])].queue


def _is_explained(evidence: Evidence, pause: Pause, jid: str, run: Run) -> bool:
    """By a failover that lost the pause of this partition or the wish itself, by an old primary that heard
    the pause or handed out the job, or by a worker that stood still or whose answer was late."""
    from_ns = pause.asked_ns - CLAIM_NS
    return evidence.was_hindered(run, from_ns) or any(
        evidence.slot_failed_over(slot, from_ns, run.begin_ns)
        or evidence.slot_went_on(slot, pause.answered_ns)
        or evidence.slot_went_on(slot, run.begin_ns)
        for slot in (slot_of(jid), Control(NAMESPACE).slot)
    )


# ---- I11 -----------------------------------------------------------------------------------------------


def _turns(found: Findings, history: History, evidence: Evidence, queue: str) -> None:
    """I11: no queue in which a job waits is passed over for long. Only the tenths of seconds count in which
    jobs ended: a cluster that answers nobody passes over nobody."""
    begins = sorted(history.begins_by_tick.get(queue, ()))
    gaps = [(one, after) for one, after in pairwise([0, *begins]) if after - one > _CALM]
    if not gaps:
        return
    waited = _waited(history, queue)
    ends = sorted(history.ends_by_tick)
    struck = _within(ends, [(s.begin_ns, s.end_ns + RECOVERY_NS) for s in evidence.strikes])
    halted = [(p.asked_ns, p.over_ns + RESUMED_NS) for p in evidence.pauses if p.queue == queue]
    stood = _within(ends, [*halted, *evidence.stood_still[queue]])
    served = [tick for tick in ends if tick not in stood]
    for one, after in gaps:
        since = max(one, min((ready for ready, first in waited if first >= after), default=after))
        passed = served[bisect_right(served, since) : bisect_left(served, after)]
        calm = sum(tick not in struck for tick in passed)
        if calm > _CALM:
            found.wrong("I11", f"queue {queue}: with nothing struck {_passed_over(calm)}")
        elif len(passed) > _FIRE:
            found.wrong("I11", f"queue {queue}: {_passed_over(len(passed))}")


def _passed_over(ticks: int) -> str:
    return f"a job waited while others were served for {ticks * TICK_NS / S:.0f} s"


def _within(ticks: Sequence[int], spans: Sequence[tuple[int, int]]) -> set[int]:
    """Those (sorted) that lie in one of these spans."""
    return {
        tick
        for begin, end in spans
        for tick in ticks[bisect_left(ticks, begin // TICK_NS) : bisect_right(ticks, end // TICK_NS)]
    }


def _waited(history: History, queue: str) -> list[tuple[int, int]]:
    """Of each job that waited for long: the ticks since which it was ready, and in which it first began. Left
    out is what may have been anywhere else: its push is unknown, or nobody noted when it was due."""
    found = []
    for jid, row in history.rows.items():
        first_ns, kind = history.first_ns[row], BY_CODE[chr(history.code[row])]
        if kind.queue != queue or not first_ns or first_ns - history.acked_ns[row] <= CALM_NS:
            continue
        if history.state[row] & (ACKED | UNKNOWN) != ACKED or kind.fate == "done or cancelled":
            continue
        ready_ns = history.acked_ns[row]
        if jid in history.asked and (due_ms := history.asked[jid].due_ms):
            ready_ns = max(ready_ns, first_ns - (history.runs[jid][0].wall_ms - due_ms) * 1_000_000)
        if first_ns - ready_ns > CALM_NS:
            found.append((ready_ns // TICK_NS, first_ns // TICK_NS))
    return found

"""Why a job is not running: small checks, in the order in which a person would ask them. Pure but for `why`.

Each check looks at one thing of the case and answers a Reason or nothing; the list below is the whole logic.
What can't be looked up (a node is down) is a reason of its own and hides no other. Called by `Admin`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ganger import jid as jids
from ganger.case import Case, gather
from ganger.cluster import Cluster
from ganger.job import FailureRecord
from ganger.keys import Control
from ganger.lifecycle import JobState
from ganger.operations.pause import Wish


@dataclass(frozen=True, slots=True)
class Reason:
    """`code` for programs, `text` for people: whole sentences. `about` has the numbers and names in it."""

    code: str
    text: str
    about: dict[str, Any] = field(default_factory=dict)


def why(cluster: Cluster, control: Control, jid: str) -> tuple[Case, list[Reason]]:
    """All reasons that hold, the most telling one first; at least one. Raises BadOptions for what is no
    jid."""
    case = gather(cluster, control, jids.check(jid))
    reasons = [reason for check in CHECKS if (reason := check(case)) is not None]
    return case, reasons or [Reason("next", "Nothing holds it up: a worker should take it at any moment.")]


# ---- the checks ------------------------------------------------------------------------------------------


def control_unreachable(case: Case) -> Reason | None:
    if case.silent is None:
        return None
    text = f"The node that knows all queues and hosts can't be reached: {case.silent}"
    return Reason("unreachable", text)


def partition_unreachable(case: Case) -> Reason | None:
    for partition, error in case.unreachable.items():
        name = f"partition {partition.index} of queue {partition.queue}"
        about = {"queue": partition.queue, "partition": partition.index}
        return Reason("unreachable", f"Where it must lie, {name}, can't be reached: {error}", about)
    return None


def gone(case: Case) -> Reason | None:
    if case.found or case.end or case.unreachable or case.silent:
        return None
    text = (
        "It is in no queue: it is done, it was dropped or removed, or it was never pushed."
        " Only a queue that retains, and a tracked job, leave more behind."
    )
    return Reason("gone", text)


def done(case: Case) -> Reason | None:
    """In the log of its queue, or tracked."""
    if case.state == JobState.DONE and case.found is not None:
        how, at_ms = case.found.how or "done", case.found.ended_at_ms
    elif case.found is None and case.end is not None:
        how, at_ms = case.end.how, case.end.at_ms
    else:
        return None
    text = f"It ended {_ago(at_ms, case.now_ms)}: {how}."
    return Reason("done", text, {"how": how, "ended_at_ms": at_ms})


def dead(case: Case) -> Reason | None:
    if case.state != JobState.DEAD or case.found is None:
        return None
    cause = case.last.cause if case.last else "unknown"
    at_ms = case.found.dead_at_ms
    text = (
        f"It is a dead letter: it died {_ago(at_ms, case.now_ms)}, after {_failure(case.last)}."
        f" `ganger dead retry {case.jid}` sends it back."
    )
    return Reason("dead", text, {"cause": cause, "dead_at_ms": at_ms})


def working(case: Case) -> Reason | None:
    """It runs, or a worker or a coordinator holds it."""
    if case.state != JobState.WORKING or case.found is None:
        return None
    holder = case.found.consumer or ""
    host = next((one for one in case.hosts or [] if one.incarnation == holder), None)
    if host is None:
        text = f"Host {holder} holds it and is silent: when the lease runs out, it comes back."
        return Reason("lease", text, {"consumer": holder})
    name = host.status.get("host", holder)
    for row in host.status.get("workers", []):
        if row.get("jid") == case.jid:
            since_ms = row.get("since_ms")
            text = f"It runs: on host {name}, worker {row.get('pid')}, begun {_ago(since_ms, host.at_ms)}."
            return Reason("working", text, {"host": name, "pid": row.get("pid"), "since_ms": since_ms})
    text = f"Host {name} has claimed it; a worker starts it in a moment, or gives it back."
    return Reason("claimed", text, {"host": name})


def cancelled(case: Case) -> Reason | None:
    if not case.cancelled:
        return None
    return Reason("cancelled", "It was cancelled in its worker's hands: its host is about to end it.")


def paused_queue(case: Case) -> Reason | None:
    wish = case.wishes.queues.get(case.queue) if case.wishes and case.waits else None
    if wish is None:
        return None
    return _paused("queue", case.queue, wish, case.now_ms)


def paused_type(case: Case) -> Reason | None:
    wish = case.wishes.types.get(case.type) if case.wishes and case.waits else None
    if wish is not None:
        return _paused("type", case.type, wish, case.now_ms)
    if case.state == JobState.PARKED:
        return Reason("parked", "Its type was paused; it is being put back among those that wait.")
    return None


def not_due(case: Case) -> Reason | None:
    if case.state not in (JobState.SCHEDULED, JobState.RETRYING) or case.found is None:
        return None
    at_ms = case.found.due_at_ms or 0
    if at_ms <= case.now_ms:
        leads = "there is none" if case.leader is None else "there is one, so it will in a second"
        text = f"It was due {_ago(at_ms, case.now_ms)}: the leading scheduler must bring it, and {leads}."
        return Reason("due", text, {"due_at_ms": at_ms, "leader": case.leader})
    again = f", once more after {_failure(case.last)}" if case.state == JobState.RETRYING else ""
    text = f"It is not due yet: in {_span(at_ms - case.now_ms)}{again}."
    return Reason("not_due", text, {"due_at_ms": at_ms, "attempt": case.found.record.state.attempt})


def expired(case: Case) -> Reason | None:
    at_ms = case.label.expires_at_ms
    if at_ms is None or not case.waits or at_ms > case.now_ms:
        return None
    text = f"It expired {_ago(at_ms, case.now_ms)}: the claim that meets it drops it."
    return Reason("expired", text, {"expires_at_ms": at_ms})


def unique_held(case: Case) -> Reason | None:
    """Another job holds the lock that it was pushed with."""
    if case.holder is None or case.holder[0] == case.jid or case.holder[1] <= case.now_ms:
        return None
    holder, until_ms = case.holder
    text = f"Its unique lock is held by job {holder}, for {_span(until_ms - case.now_ms)} at most."
    return Reason("unique_held", text, {"holder": holder, "until_ms": until_ms})


def no_host(case: Case) -> Reason | None:
    if case.hosts != [] or not case.waits:
        return None
    return Reason("no_host", "No host is alive: nobody works. `ganger run APP` starts one.")


def queue_unserved(case: Case) -> Reason | None:
    if not case.hosts or not case.waits:
        return None
    served = {queue for host in case.hosts for queue in host.status.get("queues", [])}
    if case.queue in served:
        return None
    text = f"No live host serves queue {case.queue}; they serve {', '.join(sorted(served)) or 'none'}."
    return Reason("queue_unserved", text, {"queue": case.queue, "served": sorted(served)})


def type_unknown(case: Case) -> Reason | None:
    if not case.hosts or case.types is None or not case.waits or case.type in case.types:
        return None
    text = f"No live worker knows the type {case.type}: whoever takes it fails it with unknown_type."
    return Reason("type_unknown", text, {"type": case.type})


def throttled(case: Case) -> Reason | None:
    """Its queue, its type or its key is limited, and no permit is to be had."""
    if case.state != JobState.READY:
        return None
    in_lane = case.found is not None and case.found.place is not None
    rows = [row for host in case.hosts or [] for row in host.status.get("limits", []) if row["served"]]
    for row in rows:
        if row["queue"] == case.queue and not row.get("limit_key") and row["state"] != "ok":
            return _throttled(case, row)
    for row in rows:
        if in_lane and (
            row.get("type") == case.type or (row["queue"] == case.queue and row.get("limit_key"))
        ):
            return _throttled(case, row)
    return None


def _throttled(case: Case, row: dict[str, Any]) -> Reason:
    name, state = row["name"], row["state"]
    rows = [one for host in case.hosts or [] for one in host.status.get("limits", [])]
    used = sum(one["used"] for one in rows if one["name"] == name)
    allowed = {part: row.get(part) for part in ("concurrency", "rate")}
    about = {"limit": name, "state": state, "used": used, **allowed}
    if state in ("ok", "full") and (row.get("type") or row.get("limit_key")):
        text = f"It waits in its lane for its turn under the limit {name}, {_allowed(row)}."
    elif state == "full":
        text = f"It is throttled by the limit {name}: {used} of {row['concurrency']} of its jobs run now."
    elif state == "rate used up":
        text = f"It is throttled by the limit {name}: {row['rate']}, and those have begun."
    else:
        text = f"Its queue is limited by {name} and stands still: {state}."
    return Reason("throttled", text, about)


def _allowed(row: dict[str, Any]) -> str:
    """What a limit on some jobs of a queue says."""
    said = []
    if row.get("concurrency"):
        said.append(f"at most {row['concurrency']} at once")
    if row.get("rate"):
        said.append(str(row["rate"]))
    for_whom = f" of type {row['type']}" if row.get("type") else ""
    for_each = f" for each {row['limit_key']}" if row.get("limit_key") else ""
    return " and ".join(said) + for_whom + for_each


def behind(case: Case) -> Reason | None:
    if case.ahead is None or not case.ahead.count:
        return None
    count = f"{'about' if case.ahead.whole else 'more than'} {case.ahead.count:,}"
    rows = [row for host in case.hosts or [] for row in host.status.get("workers", [])]
    busy = sum(row.get("state") == "running" for row in rows)
    where = "partition" if case.found is None or case.found.place is None else "lane"
    text = (
        f"In its {where} {count} jobs of its priority or a higher one go before it;"
        f" {busy} of {len(rows)} workers are at work."
    )
    return Reason("behind", text, {"ahead": case.ahead.count, "busy": busy, "workers": len(rows)})


CHECKS: tuple[Callable[[Case], Reason | None], ...] = (
    control_unreachable,
    partition_unreachable,
    gone,
    done,
    dead,
    working,
    cancelled,
    paused_queue,
    paused_type,
    not_due,
    expired,
    unique_held,
    no_host,
    queue_unserved,
    type_unknown,
    throttled,
    behind,
)


def _paused(kind: str, name: str, wish: Wish, now_ms: int) -> Reason:
    note = f" ({wish.note})" if wish.note else ""
    text = f"The {kind} {name} was paused {_ago(wish.since_ms, now_ms)}{note}."
    return Reason(f"paused_{kind}", text, {kind: name, "since_ms": wish.since_ms, "note": wish.note})


def _failure(last: FailureRecord | None) -> str:
    if last is None:
        return "a failure that nobody remembers"
    said = ": ".join(part for part in (last.error, last.message.partition("\n")[0][:200]) if part)
    return f"attempt {last.attempt} ended with {last.cause}" + (f" ({said})" if said else "")


def _ago(at_ms: int | None, now_ms: int) -> str:
    return "some time ago" if not at_ms else f"{_span(max(now_ms - at_ms, 0))} ago"


def _span(duration_ms: int) -> str:
    for unit_ms, name in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min")):
        if duration_ms >= 2 * unit_ms:
            return f"{duration_ms // unit_ms} {name}"
    return f"{duration_ms / 1000:.1f} s" if duration_ms < 10_000 else f"{duration_ms // 1000} s"

"""From the documents of the looking commands to the rows people read. Pure but for the clock it is given.

The documents are those of --json; rendering.py prints the rows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gangerd.cli.words import ago, instant, number, size, span, zoned

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
Document = Mapping[str, Any]


def queues(found: Mapping[str, Document], now_ms: int) -> Table:
    columns = ("queue", ">ready", ">in flight", ">later", ">parked", ">dead", ">oldest waits", "state")
    rows = [
        (
            name,
            number(queue["ready"]),
            number(queue["in_flight"]),
            number(queue["later"]),
            number(queue["parked"]),
            number(queue["dead"]),
            span(queue["oldest_age_ms"]) if queue["ready"] else "-",
            pause(queue, now_ms),
        )
        for name, queue in sorted(found.items())
    ]
    return columns, rows


def moving_queues(found: Sequence[Document], rates: Mapping[str, Mapping[str, float]], now_ms: int) -> Table:
    """With what happens a second."""
    columns = ("queue", ">ready", ">in flight", ">pushed/s", ">done/s", ">failed/s", ">oldest waits", "state")
    rows = [
        (
            str(queue["name"]),
            number(queue["ready"]),
            number(queue["in_flight"]),
            *(rate(rates.get(queue["name"], {}).get(name)) for name in ("enqueued", "succeeded", "failed")),
            span(queue["oldest_age_ms"]) if queue["ready"] else "-",
            pause(queue, now_ms),
            number(queue["later"]),
            span(queue["next_due_in_ms"]),
            number(queue["dead"]),
        )
        for queue in found
    ]
    return (*columns, ">later", ">next due in", ">dead"), rows


def rate(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 10 or not value else f"{value:.1f}"


def pause(queue: Document, now_ms: int) -> str:
    """paused 3 m ago: the shop moves; and in how many partitions, while the change is still on its way. With
    some out of reach the numbers beside it are those of the others, so that is said first."""
    if missing := queue["unreachable"]:
        return f"{missing} of {queue['partitions']} partitions out of reach; {_paused(queue, now_ms)}"
    return _paused(queue, now_ms)


def _paused(queue: Document, now_ms: int) -> str:
    held, known = queue["paused_partitions"], queue["partitions"] - queue["unreachable"]
    some = f" (in {held} of {queue['partitions']} partitions)"
    if not queue["paused"]:
        return f"open, not everywhere yet{some}" if held else "open"
    note = f": {queue['paused_note']}" if queue["paused_note"] else ""
    return f"paused {ago(queue['paused_since_ms'], now_ms)}{note}{some if held < known else ''}"


def paused_types(found: Mapping[str, Document], now_ms: int) -> str:
    """shop.send (3 m ago: the mail server is down), shop.bill (now)"""
    return ", ".join(
        f"{name} ({ago(wish['since_ms'], now_ms)}{': ' + wish['note'] if wish['note'] else ''})"
        for name, wish in found.items()
    )


def workers(found: Sequence[Document], now_ms: int) -> Table:
    columns = ("host", ">slot", ">pid", ">gen", "state", ">since", "job", "type", ">memory")
    rows = [
        (
            str(worker["host"]),
            number(worker.get("slot")),
            str(worker.get("pid") or "-"),
            number(worker.get("generation")),
            worker.get("state") or "-",
            span(now_ms - worker["since_ms"] if worker.get("since_ms") else None),
            worker.get("jid") or "-",
            worker.get("type") or "-",
            size(worker.get("rss_bytes")),
        )
        for worker in found
    ]
    return columns, rows


def crashes(found: Sequence[Document], now_ms: int) -> Table:
    columns = ("when", "cause", "type", "job", ">attempt", ">ran", ">peak", "worker", "evidence")
    rows = [
        (
            ago(crash.get("at_ms"), now_ms),
            str(crash.get("cause") or "-"),
            crash.get("type") or "-",
            crash.get("jid") or "-",
            number(crash.get("attempt")),
            span(crash.get("ran_ms")),
            size(crash.get("peak_rss_bytes")),
            f"{crash.get('host') or '?'} {crash.get('pid') or '?'}",
            evidence(crash.get("evidence")),
        )
        for crash in found
    ]
    return columns, rows


def unserved(found: Sequence[Document]) -> Table:
    columns = ("type", "queue", ">waiting", ">dead of it")
    rows = [
        (
            str(one["type"]) or "(none)",
            str(one["queue"]),
            number(one["waiting"]) + ("" if one["whole"] else " or more"),
            number(one["dead"]),
        )
        for one in found
    ]
    return columns, rows


def evidence(found: Any) -> str:
    """The evidence as one line: it is recorded as a list of sentences."""
    if isinstance(found, str):
        return found or "-"
    return " ".join(str(sentence) for sentence in found or ()) or "-"


def totals(found: Document) -> Table:
    columns = ("enqueued", "succeeded", "failed", "retried", "dead", "exhausted", "expired")
    row = tuple(number(found.get(name)) for name in columns)
    return tuple(f">{name}" for name in columns), [row]


def causes(found: Mapping[str, int]) -> str:
    """3 segfault, 1 oom_kill; "none"."""
    most = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {cause}" for cause, count in most) or "none"


def dead(found: Sequence[Document], now_ms: int) -> Table:
    columns = ("job", "queue", "type", "died", ">attempts", ">crashes", "last failure")
    rows = [
        (
            str(letter["jid"]),
            str(letter["queue"]),
            str(letter["type"]),
            ago(letter.get("dead_at_ms"), now_ms),
            number(attempts(letter.get("failures") or [])),
            number(letter.get("crashes")),
            last_failure(letter.get("failures") or []),
        )
        for letter in found
    ]
    return columns, rows


def upcoming(found: Sequence[Document], now_ms: int) -> Table:
    columns = ("job", "queue", "type", "due", ">attempt", ">priority", "last failure")
    rows = [
        (
            str(job["jid"]),
            str(job["queue"]),
            str(job["type"]),
            ago(job.get("due_at_ms"), now_ms),
            number(job.get("attempt")),
            number(job.get("priority")),
            last_failure(job.get("failures") or []),
        )
        for job in found
    ]
    return columns, rows


def job(found: Document, now_ms: int) -> list[tuple[str, str]]:
    """One job, name by name; what does not hold is left out, failures have a table of their own."""
    rows = []
    for name, value in found.items():
        if name == "failures" or value in (None, {}) or (name == "peak_rss_bytes" and not value):
            continue
        if name == "encrypted":
            name, text = "args", f"encrypted with key {value}"
        elif name == "progress":
            text = f"{value['percent']:g}% {value['message']} ({ago(value['at_ms'], now_ms)})"
        elif name.endswith("_at_ms"):
            text = f"{instant(value)} ({ago(value, now_ms)})"
        elif name == "ran_ms":
            name, text = "ran", span(value)
        elif name == "peak_rss_bytes":
            name, text = "peak", size(value)
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        rows.append((name.removesuffix("_at_ms"), text))
    return rows


def failures(found: Sequence[Document], now_ms: int) -> Table:
    columns = (">attempt", "when", "cause", "what", ">ran", ">peak", "host")
    rows = [
        (
            number(failure.get("attempt")),
            ago(failure.get("at_ms"), now_ms),
            str(failure["cause"]),
            " ".join(filter(None, (what(failure), failure.get("evidence")))),
            span(failure.get("ran_ms")),
            size(failure.get("peak_rss_bytes")),
            failure.get("host") or "-",
        )
        for failure in found
    ]
    return columns, rows


def crons(found: Sequence[Document], now_ms: int) -> Table:
    columns = (
        "name",
        "schedule",
        "tz",
        "next tick",
        "",
        "last tick",
        "last job",
        "it is",
        ">missed",
        "state",
    )
    rows = []
    for entry in found:
        coming, last = entry["next_at_ms"], entry["last"] or {}
        state = "paused" if entry["paused_at_ms"] else "unreachable" if entry["unreachable"] else "on"
        rows.append(
            (
                str(entry["name"]),
                str(entry["cron"]),
                str(entry["tz"]),
                "-" if entry["paused_at_ms"] or coming is None else zoned(coming, entry["tz"]),
                "-" if entry["paused_at_ms"] else ago(coming, now_ms),
                ago(last.get("tick_at_ms"), now_ms),
                last.get("jid") or "-",
                last.get("state") or "-",
                number(entry["missed_ticks"]),
                state,
            )
        )
    return columns, rows


def cron_history(found: Sequence[tuple[str, Document]], now_ms: int) -> Table:
    columns = ("tick", "happened", "event", "job", ">ticks")
    rows = [
        (local, ago(event["at_ms"], now_ms), str(event["event"]), event["jid"] or "-", number(event["count"]))
        for local, event in found
    ]
    return columns, rows


def attempts(found: Sequence[Document]) -> int | None:
    """How many it has had, by its last failure."""
    return int(found[-1]["attempt"]) if found else None


def last_failure(found: Sequence[Document]) -> str:
    return f"{found[-1]['cause']}: {what(found[-1])}" if found else "-"


def what(failure: Document) -> str:
    parts = [str(failure.get(name)) for name in ("error", "message") if failure.get(name)]
    return ": ".join(parts).partition("\n")[0][:200] or "-"

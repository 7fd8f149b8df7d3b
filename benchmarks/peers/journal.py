"""What a crash run came to: from the handlers' journal, the processes seen, and the log. Pure; crash.py
collects it.

Journal lines are `began NUMBER PID NS PUSHED_NS` and `ended NUMBER PID NS 0`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LATE_NS = 10_000_000_000
CULPRITS = {"a": "segfault", "b": "SIGKILL", "c": "hang"}

CAUSES = {
    "a": re.compile(r"SIGSEGV|signal:? 11\b|segfault|segmentation|returned 11\b|code -11\b", re.I),
    "b": re.compile(r"SIGKILL|signal:? 9\b|returned 9\b|code -9\b", re.I),
    "c": re.compile(
        r"time.?limit|timed out|maximum execution|(job|task) ?timeout|TimeoutError|\"timeout\"", re.I
    ),
}
TROUBLE = re.compile(r"fail|lost|stall|dead|died|abort|error|crash|unexpected|killed", re.I)

Sighting = tuple[int, frozenset[int]]
"""A moment, and the pids of the crew then; listed when they change."""


@dataclass(frozen=True)
class Event:
    what: str
    number: int
    pid: int
    at_ns: int
    pushed_ns: int


def events(lines: Sequence[str]) -> list[Event]:
    found = []
    for line in lines:
        what, *numbers = line.split()
        found.append(Event(what, *(int(each) for each in numbers)))
    return found


def outcome(
    told: Sequence[Event],
    seen: Sequence[Sighting],
    normal: Sequence[int],
    culprits: Mapping[str, int],
    wanted: int,
) -> dict[str, Any]:
    """Counts over the normal jobs, runs of each culprit, and what its first run did to the crew, in
    seconds."""
    began: dict[int, list[Event]] = {}
    for event in told:
        if event.what == "began":
            began.setdefault(event.number, []).append(event)
    ended = {event.number for event in told if event.what == "ended"}
    firsts = {kind: began[number][0] for kind, number in culprits.items() if number in began}
    backs = [replaced_s(firsts[kind], seen, wanted) for kind in ("a", "b") if kind in firsts]
    hang = firsts.get("c")
    return {
        "normal": len(normal),
        "unfinished": sum(number not in ended for number in normal),
        "twice": sum(len(began.get(number, ())) > 1 for number in normal),
        "late": sum(late(began[number][0]) for number in normal if number in began),
        "runs": {kind: len(began.get(number, ())) for kind, number in culprits.items()},
        "replaced_s": max((s for s in backs if s is not None), default=None) if None not in backs else None,
        "hang_ended_s": gone_s(hang, seen) if hang else None,
        "hang_shared": hang is not None and any(hang.pid == firsts[k].pid for k in ("a", "b") if k in firsts),
    }


def late(event: Event) -> bool:
    return event.at_ns - event.pushed_ns > LATE_NS


def gone_s(event: Event, seen: Sequence[Sighting]) -> float | None:
    """How long after `event` its process was no longer there."""
    at_ns = next((at for at, pids in seen if at > event.at_ns and event.pid not in pids), None)
    return None if at_ns is None else (at_ns - event.at_ns) / 1e9


def replaced_s(event: Event, seen: Sequence[Sighting], wanted: int) -> float | None:
    """From the death of the event's process until the crew was complete again."""
    death_s = gone_s(event, seen)
    if death_s is None:
        return None
    death_ns = event.at_ns + int(death_s * 1e9)
    back_ns = next((at for at, pids in seen if at >= death_ns and len(pids) >= wanted), None)
    return None if back_ns is None else (back_ns - death_ns) / 1e9


def named(kind: str, identity: Sequence[str], texts: Sequence[str]) -> str:
    """Whether a line of the log, or a failure record, names this job, its cause, or both together."""
    own = [text for text in texts if any(token in text for token in identity)]
    if any(CAUSES[kind].search(without(text, identity)) for text in own):
        return "job and cause"
    job = any(TROUBLE.search(text) for text in own)
    cause = any(CAUSES[kind].search(text) for text in texts)
    return {(True, True): "job; cause elsewhere", (True, False): "job", (False, True): "cause"}.get(
        (job, cause), "no"
    )


def without(text: str, tokens: Sequence[str]) -> str:
    """An id's own digits are no exit code."""
    for token in tokens:
        text = text.replace(token, "")
    return text

"""What the record of a chaos run says of queues that were paused: from when to when it was promised that
nothing is handed out, and how long nothing may have been.

PURE. nemeses/operators.py writes it down, evidence.py reads it, serving.py holds the runs against it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NAME = "pause a queue"
"""Of the nemesis. It is no harm: it excuses nothing."""
FOR_EVER_NS = 1 << 62


@dataclass(slots=True)
class Pause:
    queue: str
    asked_ns: int
    answered_ns: int = 0
    """0: it was not answered, or with an error. Then nothing is promised."""
    reached: frozenset[int] = field(default_factory=frozenset)
    """Partitions that obey it by the answer; nothing is promised of others."""
    until_ns: int = FOR_EVER_NS
    """When somebody asked first that the queue goes on."""
    over_ns: int = FOR_EVER_NS
    """When that was answered, for the last time before it was paused anew."""


def read_pauses(notes: Iterable[Mapping[str, Any]]) -> list[Pause]:
    """In the order in which they were asked for."""
    found: list[Pause] = []
    latest: dict[str, Pause] = {}
    for note in notes:
        at_ns, queue = note["at_ns"], note.get("queue", "")
        if note["what"] == "pauses a queue":
            latest[queue] = Pause(queue, at_ns)
            found.append(latest[queue])
            continue
        if queue not in latest:
            continue
        match note["what"]:
            case "paused a queue":
                latest[queue].answered_ns = at_ns
                latest[queue].reached = frozenset(note["reached"])
            case "resumes a queue":
                latest[queue].until_ns = min(latest[queue].until_ns, at_ns)
            case "resumed a queue":
                latest[queue].over_ns = at_ns
    return found


def promised(pauses: Iterable[Pause]) -> Mapping[str, Sequence[tuple[int, int]]]:
    """By queue, the times in which the pause had been answered and nobody had asked that it goes on."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for pause in pauses:
        if pause.answered_ns:
            found[pause.queue].append((pause.answered_ns, pause.until_ns))
    return found

"""What the demo must have shown, held against what is there. Pure: no I/O, no clock.

`judge` returns every discrepancy as a sentence; none at all is success."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CAUSES = {"segfault": {"segfault"}, "eat_memory": {"oom_kill", "memory_limit"}, "hang": {"timeout"}}
"""Which causes a saboteur's death may have: memory is guarded by the kernel where it can be."""
RUNS = 2
"""Each saboteur's attempts: the first and its one retry."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that was observed. `indexed` holds the number of each result line; `saboteurs` maps a saboteur's
    name to its jid; the rest is as `crashes`, `status` and `dead list` tell it."""

    files: int
    indexed: Sequence[int]
    saboteurs: Mapping[str, str]
    crashes: Sequence[Mapping[str, Any]]
    dead: Iterable[str]
    totals: Mapping[str, Any]
    left: int
    """Jobs still in the queue in any structure but the dead letters."""


def judge(seen: Outcome) -> list[str]:
    wrong = []
    runs = Counter(seen.indexed)
    if missing := seen.files - len(runs):
        wrong.append(f"{missing:,} of {seen.files:,} files were never indexed")
    if repeated := sum(1 for count in runs.values() if count > 1):
        wrong.append(f"{repeated:,} files were indexed more than once")
    for name, jid in seen.saboteurs.items():
        wrong += _sabotage(name, jid, seen)
    guilty = set(seen.saboteurs.values())
    if innocent := [crash for crash in seen.crashes if crash["jid"] not in guilty]:
        wrong.append(
            f"{len(innocent)} deaths are blamed on innocent jobs, the first on {innocent[0]['type']}"
        )
    expected = {
        "enqueued": seen.files + len(guilty),
        "succeeded": seen.files,
        "retried": len(guilty) * (RUNS - 1),
        "dead": len(guilty),
    }
    for name, count in expected.items():
        if seen.totals.get(name) != count:
            wrong.append(f"{seen.totals.get(name)} jobs are counted as {name}, and {count:,} should be")
    if seen.left:
        wrong.append(f"{seen.left:,} jobs are still in the queue")
    return wrong


def _sabotage(name: str, jid: str, seen: Outcome) -> list[str]:
    causes = [crash["cause"] for crash in seen.crashes if crash["jid"] == jid]
    wrong = []
    if len(causes) != RUNS:
        wrong.append(f"{name} killed {len(causes)} workers, and should have killed {RUNS}")
    if unexpected := set(causes) - CAUSES[name]:
        wrong.append(f"{name} is said to have died of {', '.join(sorted(unexpected))}")
    if jid not in set(seen.dead):
        wrong.append(f"{name} is not among the dead letters")
    return wrong

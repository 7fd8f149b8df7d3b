"""The saboteurs' story from the crash records: who killed which worker, of what, and what came of the job.

Pure; cli/demo.py prints the rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from gangerd.demo.verdict import Outcome

COLUMNS = ("saboteur", ">attempt", "killed worker", "cause", ">it ran", "evidence", "then")


def chapters(seen: Outcome) -> list[tuple[Mapping[str, Any], str, str]]:
    """(crash, saboteur's name or the type of an innocent, what followed), in the order of the deaths."""
    names = {jid: name for name, jid in seen.saboteurs.items()}
    dead = set(seen.dead)
    by_job: dict[str, list[Mapping[str, Any]]] = {}
    for crash in sorted(seen.crashes, key=lambda crash: int(crash["at_ms"])):
        by_job.setdefault(str(crash["jid"]), []).append(crash)
    told = []
    for jid, crashes in by_job.items():
        for crash, following in zip(crashes, [*crashes[1:], None], strict=True):
            told.append((crash, names.get(jid, str(crash["type"])), _then(crash, following, jid in dead)))
    return sorted(told, key=lambda chapter: int(chapter[0]["at_ms"]))


def _then(crash: Mapping[str, Any], following: Mapping[str, Any] | None, is_dead: bool) -> str:
    if following is not None:
        again_ms = int(following["at_ms"]) - int(following["ran_ms"] or 0)
        return f"retried after {max(0, again_ms - int(crash['at_ms'])) / 1000:.1f} s"
    return "retries used up: dead letter" if is_dead else "unknown"


def harvest(lines: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """What the honest jobs found, in sum."""
    sums = {name: sum(int(line.get(name, 0)) for line in lines) for name in ("lines", "functions", "classes")}
    return {**sums, "unparsable": sum(1 for line in lines if "unparsable" in line)}

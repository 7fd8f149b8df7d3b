"""The book-keeping of an incident: what really ran, held against what was pushed and what Redis counts."""

from collections.abc import Collection

from support.journal import Runs
from support.scene import Scene


def ran_exactly_once(scene: Scene, jids: Collection[str]) -> None:
    """Each of them began once and ended once."""
    runs = scene.journal.runs()
    missing = [jid for jid in jids if jid not in runs or not runs[jid].ended]
    twice = {jid: runs[jid].begun for jid in jids if jid in runs and len(runs[jid].begun) > 1}
    assert not missing, f"{len(missing)} of {len(jids)} never ran to their end, such as {missing[:3]}"
    assert not twice, f"{len(twice)} of {len(jids)} began more than once: {dict(list(twice.items())[:3])}"


def none_lost(scene: Scene, jids: Collection[str]) -> dict[str, Runs]:
    """Each of them ended; those that began more than once."""
    runs = scene.journal.runs()
    missing = [jid for jid in jids if jid not in runs or not runs[jid].ended]
    assert not missing, f"{len(missing)} of {len(jids)} never ran to their end, such as {missing[:3]}"
    return {jid: runs[jid] for jid in jids if len(runs[jid].begun) > 1}


def counters_balance(scene: Scene) -> None:
    """What came in is what went out and what is there."""
    totals = scene.totals()
    gone = sum(totals[name] for name in ("succeeded", "exhausted", "expired", "cancelled", "skipped", "dead"))
    came = sum(totals[name] for name in ("enqueued", "revived", "replayed"))
    left = scene.left()
    assert came == gone + left, f"{totals}, {left} left"


def quantile(values: Collection[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

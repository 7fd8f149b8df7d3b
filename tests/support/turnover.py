"""Whether workers were replaced one at a time and at once, by what a master's log says."""

from collections.abc import Iterable
from typing import Any


def one_by_one(lines: Iterable[dict[str, Any]]) -> bool:
    """Between two workers asked to leave there is always one that left, and one that took its place."""
    kinds = {"worker.recycled": "?", "worker.ready": "+", "worker.left": "-"}
    told = "".join(kinds.get(line["event"], "") for line in lines)
    steps = told.split("?")[1:-1]
    return bool(steps) and all(sorted(step) == ["+", "-"] for step in steps)

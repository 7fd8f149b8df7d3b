"""What a run keeps beside its journals and logs, so that it can be judged again: what the servers held when
all was drained, what was struck, and when.

run.py writes it before anything is judged, judging.py reads it. Leaves what it means to them.
"""

import dataclasses
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.checker import Final
from chaos.journal import strikes

NAME = "last"
"""The file; a JSON document."""


@dataclass
class Last(Final):
    """With a list to add to."""

    leaks: list[str] = field(default_factory=list)


@dataclass
class Struck:
    """What one nemesis has done."""

    name: str
    branches: Sequence[str] = ()
    count: int = 0
    not_now: dict[str, int] = field(default_factory=dict)
    """How often it could not be done, by reason."""
    trouble: str = ""


@dataclass
class Over:
    """A run that is over."""

    last: Last | None
    """None: a run that came to its end, and did not keep it."""
    seed: int | None = None
    minutes: float = 0.0
    plant: str = ""
    server: str = ""
    needs: Sequence[str] | None = None
    """Branches that must have been taken (run.py)."""
    struck: list[Struck] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    """Error replies, by their first word."""
    began_ns: int = 0
    ended_ns: int = field(default_factory=time.monotonic_ns)
    apart_ns: int = field(default_factory=lambda: time.time_ns() - time.monotonic_ns())
    """The time of day less the monotonic clock, by which the logs' lines find their instants."""


def write(root: Path, over: Over) -> None:
    (root / NAME).write_text(json.dumps(dataclasses.asdict(over)))


def read(root: Path) -> Over | None:
    """What was kept there; None when the run was broken off, or never began."""
    try:
        known: dict[str, Any] = json.loads((root / NAME).read_text())
    except FileNotFoundError:
        return _unkept(root)
    last, struck = Last(**known.pop("last")), [Struck(**each) for each in known.pop("struck")]
    return Over(last=last, struck=struck, **known)


def _unkept(root: Path) -> Over | None:
    """A run that came to its end, and kept its record alone: an older ganger's."""
    try:
        notes = strikes(root)
    except FileNotFoundError:
        return None
    at = {note["what"]: note["at_ns"] for note in notes}
    if "drained" not in at:
        return None
    counts = Counter(note["name"] for note in notes if note["what"] == "strike")
    return Over(
        last=None,
        minutes=round((at["harm ends"] - at["harm begins"]) / 60e9, 1),
        struck=[Struck(name, count=count) for name, count in counts.items()],
        began_ns=notes[0]["at_ns"],
        ended_ns=notes[-1]["at_ns"],
    )

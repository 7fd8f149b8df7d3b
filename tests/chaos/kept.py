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
from chaos.journal import STRIKES, reading, strikes
from chaos.nemesis import Lacking, NotNow
from gangerd.errors import KeptDamaged

NAME = "last"
"""The file; a JSON document."""
MARKS = ("harm begins", "harm ends", "healed", "pushing ends", "drained")
"""What `strikes` tells of each run that came to its end."""


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
    lacking: list[str] = field(default_factory=list)
    """Those of the reasons that are for want of something that the machine does not offer."""
    trouble: str = ""

    def skip(self, why: NotNow) -> None:
        reason = str(why)
        self.not_now[reason] = self.not_now.get(reason, 0) + 1
        if isinstance(why, Lacking) and reason not in self.lacking:
            self.lacking.append(reason)


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
    ganger: str = ""
    server_version: str = ""
    """What ran (versions.py); "": an older ganger, which did not keep it."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Of each file that is judged, by its path below the directory, in bytes."""


def write(root: Path, over: Over) -> None:
    paths = [root / STRIKES, *root.glob("*.log"), *root.glob("*/log.*"), *root.glob("journal/*/*")]
    sizes = {str(path.relative_to(root)): path.stat().st_size for path in paths}
    (root / NAME).write_text(json.dumps(dataclasses.asdict(dataclasses.replace(over, sizes=sizes))))


def read(root: Path) -> Over | None:
    """What was kept there; None when the run was broken off, or never began. Raises KeptDamaged when it is
    not whole."""
    path = root / NAME
    if not path.exists():
        return _unkept(root)
    with reading(path):
        known: dict[str, Any] = json.loads(path.read_text())
        last, struck = Last(**known.pop("last")), [Struck(**each) for each in known.pop("struck")]
        over = Over(last=last, struck=struck, **known)
    _check(root, over)
    return over


def _check(root: Path, over: Over) -> None:
    """A file that is not there, or not all of it, would make violations of what it told."""
    for name, size in over.sizes.items():
        with reading(root / name):
            now = (root / name).stat().st_size
        if now < size:
            raise KeptDamaged(
                f"{root / name} is damaged, so this run can't be judged: it has {now:,} bytes,"
                f" and had {size:,} when the run ended."
            )
    notes = strikes(root)
    _marks(root, notes)
    for note in notes:
        if note["what"] == "ended" and "log" in note:
            with reading(log := root / note["of"] / note["log"]):
                log.stat()


def _marks(root: Path, notes: Sequence[dict[str, Any]]) -> dict[str, int]:
    """When each thing was noted last; of a run that came to its end, all that is judged by."""
    path = root / STRIKES
    with reading(path):
        at = {note["what"]: int(note["at_ns"]) for note in notes}
    if missing := [mark for mark in MARKS if mark not in at]:
        raise KeptDamaged(
            f"{path} is damaged, so this run can't be judged: it does not tell of {', '.join(missing)!r}."
        )
    return at


def _unkept(root: Path) -> Over | None:
    """A run that came to its end, and kept its record alone: an older ganger's."""
    if not (root / STRIKES).exists():
        return None
    notes = strikes(root)
    if not any(note.get("what") == "drained" for note in notes):
        return None
    at = _marks(root, notes)
    counts = Counter(note["name"] for note in notes if note["what"] == "strike")
    return Over(
        last=None,
        minutes=round((at["harm ends"] - at["harm begins"]) / 60e9, 1),
        struck=[Struck(name, count=count) for name, count in counts.items()],
        began_ns=notes[0]["at_ns"],
        ended_ns=notes[-1]["at_ns"],
    )

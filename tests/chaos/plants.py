"""Bugs to plant: a copy of ganger with one of them in it, which all processes of a run import in its place.

For whoever wants to see that the harness would find such a bug. Each is a change of a line or two.
"""

import shutil
from pathlib import Path

import ganger

PLANTS: dict[str, tuple[str, str, str]] = {
    # A retry moves the job whether or not the caller still has it.
    "unfenced-settle": (
        "lua/retry.lua",
        "local fields, why = held(stream, id, consumer)\n",
        "local fields, why = held(stream, id, consumer)\nfields = fields or {'p', '5', 'b', '{}'}\n",
    ),
    # What is released leaves its stream first, and some of it is not put back.
    "drop-before-add": (
        "lua/release.lua",
        "    add(streams[1], now, 'j'",
        "    drop(stream, id)\n    if moved % 3 < 2 then add(streams[1], now, 'j'",
    ),
    # Each server counts to the limit, and a majority of them makes a permit.
    "majority-count": (
        "throttle/quorum.py",
        "        if self.limit <= MOST_SEATS:\n            return 0\n"
        "        return (self.quorum * (self.limit + 1) - 1) // self.servers",
        "        return self.limit",
    ),
    # A claim does not look whether its queue is paused.
    "deaf-to-pauses": ("lua/claim.lua", "if paused == '1' then return reply end\n", ""),
}
_ENDINGS = {"drop-before-add": ("'s', state, 'p', priority)", "'s', state, 'p', priority) end")}


def plant(name: str, into: Path) -> Path:
    """A directory for the path of Python, in which ganger has this bug."""
    file, *change = PLANTS[name]
    package = Path(ganger.__file__).parent
    shutil.copytree(package, into / "ganger", ignore=shutil.ignore_patterns("__pycache__"))
    path = into / "ganger" / file
    text = path.read_text()
    for old, new in (change, *([_ENDINGS[name]] if name in _ENDINGS else [])):
        assert old in text, f"{file} has changed: the bug can't be planted"
        text = text.replace(old, new, 1)
    path.write_text(text)
    return into

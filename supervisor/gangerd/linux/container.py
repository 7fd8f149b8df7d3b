"""The memory limit that this process and all its children are under together: a container's, mostly.

Where it is passed the kernel ends whom it likes, or all at once. Page cache that nobody uses is given up
before that, so it counts as free. Used by the master where workers have no cgroups of their own, and by
headroom.py.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gangerd.linux import cgroup

_UNLIMITED = 1 << 60
_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


@dataclass(frozen=True, slots=True)
class Room:
    limit_bytes: int
    free_bytes: int


class Container:
    """The groups above this process that have a limit; `None` from `room` when there is none."""

    def __init__(self, directories: Sequence[Path] | None = None) -> None:
        found = cgroup.own_directories() if directories is None else directories
        self._directories = [directory for directory in found if _room(directory) is not None]

    def room(self) -> Room | None:
        """The limit that leaves least, as it is now."""
        rooms = (_room(directory) for directory in self._directories)
        return min((room for room in rooms if room), key=lambda room: room.free_bytes, default=None)


def _room(directory: Path) -> Room | None:
    """v2 or v1, told apart by their files; None without a limit."""
    for limit, used, idle in _FILES:
        with contextlib.suppress(OSError, ValueError):  # "max" is no number
            most, now = int((directory / limit).read_text()), int((directory / used).read_text())
            if most < _UNLIMITED:
                return Room(most, max(0, most - now + _idle(directory / "memory.stat", idle)))
    return None


def _idle(stat: Path, name: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in stat.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0

"""How much memory can still be had here: the machine's, and that of each memory cgroup above this process.

What the kernel would give up at once (page cache that nobody uses) counts as free. Asked by the master before
it brings in a second copy of the app; costs a few small reads in /proc and /sys.
"""

import contextlib
from pathlib import Path

from gangerd.linux import cgroup


def available_bytes(proc: Path = Path("/proc")) -> int | None:
    """The least of all these; None when nothing can be read."""
    found = [_machine(proc / "meminfo")]
    found += [_group(directory) for directory in cgroup.own_directories(proc / "self")]
    return min((each for each in found if each is not None), default=None)


def _machine(meminfo: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _group(directory: Path) -> int | None:
    """v2 or v1, told apart by their files; None without a limit."""
    for limit, current, idle in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        with contextlib.suppress(OSError, ValueError):  # "max" is no number: no limit
            most, used = int((directory / limit).read_text()), int((directory / current).read_text())
            return max(0, most - used + _idle(directory / "memory.stat", idle))
    return None


def _idle(stat: Path, name: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in stat.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0

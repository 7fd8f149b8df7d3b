"""How much memory can still be had here: the machine's, and that of each memory cgroup above this process.

What the kernel would give up at once (page cache that nobody uses) counts as free. Asked by the master before
it brings in a second copy of the app; costs a few small reads in /proc and /sys.
"""

import contextlib
from pathlib import Path

from gangerd.linux import cgroup
from gangerd.linux.container import Container


def available_bytes(proc: Path = Path("/proc")) -> int | None:
    """The least of all these; None when nothing can be read."""
    room = Container(cgroup.own_directories(proc / "self")).room()
    found = [_machine(proc / "meminfo"), room.free_bytes if room is not None else None]
    return min((each for each in found if each is not None), default=None)


def _machine(meminfo: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None

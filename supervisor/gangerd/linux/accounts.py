"""What a tree of processes costs: CPU time to the nanosecond, and memory with what is shared counted by
shares.

From /proc alone. Not for a loop: PSS takes milliseconds a process. Used by the benchmarks."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

from gangerd.linux import processes

_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


def tree(root: int) -> list[int]:
    """The process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := processes.parent(int(entry.name))) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_s(pid: int) -> float:
    """CPU seconds of all its threads that live; 0 when it is gone."""
    used_ns = 0
    with contextlib.suppress(*_GONE):
        for task in list(Path(f"/proc/{pid}/task").iterdir()):
            with contextlib.suppress(*_GONE):
                # proc(5): nanoseconds on the CPU. /proc/PID/stat counts whole ticks, of 10 ms mostly.
                used_ns += int((task / "schedstat").read_text().split()[0])
    return used_ns / 1e9


def pss_bytes(pid: int) -> int:
    """Its memory, each page divided by the number of processes that share it; 0 when it is gone."""
    with contextlib.suppress(*_GONE):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def role(pid: int) -> str:
    """The first word of its title: master, template, worker, coordinator...; empty when it is gone."""
    with contextlib.suppress(*_GONE):
        words = (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").split()
        )
        return next((word for word in words if word != "ganger:"), "")
    return ""


def cpu_by_role(pids: Iterable[int]) -> dict[int, tuple[str, float]]:
    """pid -> (role, CPU seconds so far)."""
    return {pid: (role(pid), cpu_s(pid)) for pid in pids if Path(f"/proc/{pid}").exists()}

"""One worker's memory cgroup: joined, read, emptied, removed; v2 and v1 alike, told apart by their files.

Making leaves is cgroup.py's. Numbers are None where the kernel does not tell them. Used through cgroup.py.
"""

import contextlib
import errno
import os
import signal
from pathlib import Path


def join(leaf: str) -> None:
    """Move this process into the leaf; raises OSError, FileNotFoundError where it has been removed. Up to
    20 ms: called by the worker itself.

    What was allocated before stays charged to the old group, so a freshly forked worker is charged next to
    nothing.
    """
    path = Path(leaf) / "cgroup.procs"
    try:
        path.write_text("0")
    except OSError as error:
        if error.errno == errno.ENODEV:  # removed since it was opened
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None
        raise


def oom_kills(leaf: str) -> int | None:
    """How many processes of the leaf the OOM killer has ended. It moves before the victim can be reaped.

    v2 counts groups below too, and with memory.oom.group sometimes more than there were processes: more than
    before is what counts, not how many.
    """
    count = _counter(leaf, "memory.events", "oom_kill")
    return count if count is not None else _counter(leaf, "memory.oom_control", "oom_kill")


def oom_group_kills(leaf: str) -> int | None:
    """How often the kernel ended the whole leaf at once (v2, Linux 5.17)."""
    return _counter(leaf, "memory.events", "oom_group_kill")


def peak_bytes(leaf: str) -> int | None:
    """The most memory ever charged to the leaf: by all the jobs of this worker, page cache included."""
    return _number(leaf, "memory.peak", "memory.max_usage_in_bytes")


def current_bytes(leaf: str) -> int | None:
    """The memory charged to the leaf now, page cache included."""
    return _number(leaf, "memory.current", "memory.usage_in_bytes")


def set_memory_max(leaf: Path, memory_max_bytes: int) -> None:
    """Limit the leaf's memory and forbid it swap; raises OSError when the kernel refuses.

    On v1 swap is forbidden by the same limit on memory and swap together, which may never be the lower of
    the two: so it is written before when the limits rise and after when they sink.
    """
    text = str(memory_max_bytes)
    if (leaf / "memory.limit_in_bytes").exists():
        write_if_there(leaf / "memory.memsw.limit_in_bytes", text)
        (leaf / "memory.limit_in_bytes").write_text(text)
        write_if_there(leaf / "memory.memsw.limit_in_bytes", text)
    else:
        (leaf / "memory.max").write_text(text)
        write_if_there(leaf / "memory.swap.max", "0")


def write_if_there(path: Path, text: str) -> None:
    """Write a file that not every kernel has, and on which the fence does not stand."""
    if path.exists():
        with contextlib.suppress(OSError):
            path.write_text(text)


def members(leaf: str) -> list[int]:
    """The pids in the leaf and in groups below it (a job may have made some)."""
    pids: list[int] = []
    for group in _with_groups_below(leaf):
        with contextlib.suppress(OSError):
            pids += [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    return pids


def kill_leftovers(leaf: str) -> list[int]:
    """Send SIGKILL to everything in the leaf; the pids that were in it. Does not wait for their end.

    v2 kills all at once. v1 can only go by the list, so it looks until nobody new is there: a process may
    fork while we read.
    """
    killed = members(leaf)
    try:
        _write_existing(Path(leaf) / "cgroup.kill", "1")  # Linux 5.14
    except OSError:
        for _ in range(20):
            for pid in members(leaf):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            new = [pid for pid in members(leaf) if pid not in killed]
            if not new:
                break
            killed += new
    return killed


def remove(leaf: str) -> bool:
    """Remove the leaf and groups below it; False when a process is still in it: try again later."""
    for path in reversed(_with_groups_below(leaf)[1:]):
        with contextlib.suppress(OSError):
            path.rmdir()
    try:
        Path(leaf).rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _with_groups_below(leaf: str) -> list[Path]:
    """The leaf, and each group after the one it is in. A master that ends may remove its own meanwhile, which
    `Path.rglob` does not bear."""
    return [Path(root) for root, _, _ in os.walk(leaf)]


def _write_existing(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _counter(leaf: str, file: str, name: str) -> int | None:
    """One `name value` line of a file."""
    try:
        for line in (Path(leaf) / file).read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    except (OSError, ValueError):
        pass
    return None


def _number(leaf: str, *files: str) -> int | None:
    for file in files:
        with contextlib.suppress(OSError, ValueError):
            return int((Path(leaf) / file).read_text())
    return None

"""Memory fences: one memory cgroup per worker, so that the kernel ends the one that leaks and says so.

cgroup v2 where the memory controller is there and this subtree is ours (Delegate= in a unit), else v1 below
our own group, else a sentence that says why not. This file finds out which and makes the leaves;
cgroup_leaf.py reads, kills and removes them. Joining can take 20 ms, so it is done by the worker itself,
never by the master. Used by master and worker.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gangerd.linux import processes
from gangerd.linux.cgroup_leaf import (
    current_bytes,
    join,
    kill_leftovers,
    members,
    oom_group_kills,
    oom_kills,
    peak_bytes,
    remove,
    set_memory_max,
    write_if_there,
)

__all__ = [
    "Fence",
    "current_bytes",
    "detect",
    "join",
    "kill_leftovers",
    "members",
    "oom_group_kills",
    "oom_kills",
    "peak_bytes",
    "remove",
]

_OWN_LEAF = "master"


@dataclass(frozen=True, slots=True)
class Fence:
    """What is possible here.

    Attributes:
        kind: v2, v1 or none.
        directory: where the leaves are made; None when kind is none.
        explanation: one sentence for `ganger status`.
    """

    kind: Literal["v2", "v1", "none"]
    directory: Path | None
    explanation: str

    @property
    def possible(self) -> bool:
        return self.directory is not None

    def prepare(self) -> "Fence":
        """Make the subtree ready for leaves, before any other process is started; the fence now in force.

        On v2 a group with controllers for its children may hold no process itself, so this process moves
        into a leaf of its own. On v1 there is nothing to do.
        """
        if self.kind != "v2" or self.directory is None:
            return self
        try:
            _move_into_own_leaf(self.directory)
            (self.directory / "cgroup.subtree_control").write_text("+memory")
            with contextlib.suppress(OSError):  # pids is good to have, memory is what this is about
                (self.directory / "cgroup.subtree_control").write_text("+pids")
        except OSError as error:
            return Fence(
                "none", None, f"no memory fence: {self.directory} can't be divided ({error.strerror})"
            )
        return self

    def leaf(self, name: str, memory_max_bytes: int | None = None, pids_max: int | None = None) -> str:
        """Make a leaf and set its limits (None: none of its own); its path, for `join` and the readers.

        Memory alone is limited: swap is forbidden to a leaf with a limit, else a leak would fill it first.
        Raises FileExistsError for a name in use and OSError when the kernel refuses.
        """
        if self.directory is None:
            raise OSError(self.explanation)
        path = self.directory / name
        path.mkdir()
        try:
            if memory_max_bytes is not None:
                set_memory_max(path, memory_max_bytes)
            if self.kind == "v2":
                write_if_there(path / "memory.oom.group", "1")
                if pids_max is not None:
                    write_if_there(path / "pids.max", str(pids_max))
        except OSError:
            path.rmdir()
            raise
        return str(path)

    def leaves(self, prefix: str) -> list[str]:
        """The leaves whose names begin so: what a master that was killed has left behind."""
        if self.directory is None:
            return []
        return sorted(str(path) for path in self.directory.glob(f"{prefix}*") if path.is_dir())


def detect(process: Path = Path("/proc/self")) -> Fence:
    """Find out what is possible for this process; changes nothing."""
    groups = _own_groups(process / "cgroup")
    reasons: list[str] = []
    for kind, controller, find in (("v2", "", _v2), ("v1", "memory", _v1)):
        path = groups.get(controller)
        if path is None:
            continue
        directory = _mounted(process / "mountinfo", kind, path)
        if directory is None:
            reasons.append(f"cgroup {kind} is not mounted here")
            continue
        fence = find(directory)
        if fence.possible:
            return fence
        reasons.append(fence.explanation)
    return Fence(
        "none", None, "no memory fence: " + ("; ".join(reasons) or "no memory cgroups on this system")
    )


def _v2(directory: Path) -> Fence:
    try:
        controllers = (directory / "cgroup.controllers").read_text().split()
        members = [int(pid) for pid in (directory / "cgroup.procs").read_text().split()]
    except OSError as error:
        return Fence("none", None, f"cgroup v2 can't be read ({error.strerror})")
    if "memory" not in controllers:
        return Fence("none", None, "cgroup v2 has no memory controller here (a unit wants Delegate=yes)")
    if not os.access(directory, os.W_OK) or not os.access(directory / "cgroup.subtree_control", os.W_OK):
        return Fence("none", None, f"{directory} is not ours to divide (a unit wants Delegate=yes)")
    strangers = [pid for pid in members if not _is_ours(pid)]
    if strangers:
        return Fence("none", None, f"{directory} holds processes of others, such as {strangers[0]}")
    return Fence("v2", directory, f"a memory cgroup (v2) per worker, in {directory}")


def _v1(directory: Path) -> Fence:
    if not (directory / "memory.limit_in_bytes").exists():
        return Fence("none", None, "cgroup v1 has no memory controller here")
    if not os.access(directory, os.W_OK):
        return Fence("none", None, f"{directory} may not be written")
    return Fence("v1", directory, f"a memory cgroup (v1) per worker, in {directory}")


def _is_ours(pid: int) -> bool:
    """This process or a descendant of it."""
    current: int | None = pid
    while current is not None and current > 1 and current != os.getpid():
        current = processes.parent(current)
    return current is None or current == os.getpid()


def own_directories(process: Path = Path("/proc/self")) -> list[Path]:
    """The memory groups that hold this process, v2 and v1, innermost first, as far up as they show here."""
    groups, found = _own_groups(process / "cgroup"), []
    for kind, controller in (("v2", ""), ("v1", "memory")):
        path = groups.get(controller)
        directory = _mounted(process / "mountinfo", kind, path) if path is not None else None
        while directory is not None and (directory / "cgroup.procs").exists():
            found.append(directory)
            directory = directory.parent
    return found


def _own_groups(path: Path) -> dict[str, str]:
    """The group of this process per controller; "" is v2. cgroups(7): hierarchy:controllers:path."""
    groups: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            groups.update(dict.fromkeys(controllers.split(","), group))
    return groups


def _mounted(mountinfo: Path, kind: str, group: str) -> Path | None:
    """Where this group is in the file system. proc(5): a mount may show a part of the hierarchy only.

    The last mount that shows it counts: a later mount hides an earlier one.
    """
    found: Path | None = None
    with contextlib.suppress(OSError):
        for line in mountinfo.read_text().splitlines():
            before, _, after = line.partition(" - ")
            root, point = before.split()[3:5]
            kernel_type, _, options = after.split()[:3]
            wanted = kernel_type == "cgroup2" if kind == "v2" else "memory" in options.split(",")
            if not wanted or kernel_type not in ("cgroup", "cgroup2"):
                continue
            if group != root and not group.startswith(root.rstrip("/") + "/"):
                continue
            inside = group[len(root.rstrip("/")) :].lstrip("/")
            found = Path(point.replace("\\040", " ")) / inside
    return found


def _move_into_own_leaf(directory: Path) -> None:
    own = directory / _OWN_LEAF
    own.mkdir(exist_ok=True)
    for pid in (directory / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            (own / "cgroup.procs").write_text(pid)

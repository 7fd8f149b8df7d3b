"""The memory cgroups of the workers: made before the fork, joined by the worker itself, removed after its
burial.

Where this process may not divide its cgroup there are no leaves and everything goes on by samples of RSS
(memory.py). What is possible is found out once (linux/cgroup.py), when the master starts.
"""

import os

from gangerd import log
from gangerd.linux import cgroup, processes

_PREFIX = "ganger-"
_KINDS = {"v2": "cgroup2", "v1": "cgroup1", "none": "rss"}


class Fence:
    """`limit_bytes` is memory.max of each leaf, None for none: even so, a leaf tells whom the OOM killer
    took.

    kind ("cgroup2", "cgroup1", "rss") and explanation are for `ganger status`.
    """

    def __init__(self, incarnation: str, limit_bytes: int | None) -> None:
        self._log = log.get()
        self._groups = cgroup.detect().prepare()
        self._limit_bytes = limit_bytes
        self._left: set[str] = set()
        self._failing = False
        self.kind = _KINDS[self._groups.kind]
        self.explanation = self._groups.explanation
        pid = os.getpid()
        self._prefix = f"{_PREFIX}{pid}.{processes.start_time(pid)}-{incarnation}-"
        self._log.info(log.FENCE_CHOSEN, kind=self.kind, explanation=self.explanation)
        self._sweep()

    def leaf(self, incarnation: str) -> str:
        """A leaf for this worker, to be joined by it; "" when there can be none."""
        if not self._groups.possible:
            return ""
        try:
            leaf = self._groups.leaf(self._prefix + incarnation, self._limit_bytes)
        except OSError as error:
            if not self._failing:
                self._log.warning(log.FENCE_CHOSEN, kind="rss", explanation=f"a leaf can't be made: {error}")
            self._failing = True
            return ""
        self._failing = False
        return leaf

    def relimit(self, limit_bytes: int | None) -> None:
        """Of the leaves made from now on."""
        self._limit_bytes = limit_bytes

    def remove(self, leaf: str) -> None:
        """After the burial. A leaf that still holds a process (a zombie, a child in the kernel) is removed
        at a later call."""
        if leaf:
            self._left.add(leaf)
        self._left = {each for each in self._left if not cgroup.remove(each)}

    def close(self) -> None:
        """At the end: what is left over goes, if it can."""
        for leaf in self._groups.leaves(self._prefix):
            self.remove(leaf)

    def _sweep(self) -> None:
        """Leaves of masters that were killed. One of a living master may be empty just now: its worker is
        about to join."""
        for leaf in self._groups.leaves(_PREFIX):
            pid, _, started = leaf.rpartition("/")[2].removeprefix(_PREFIX).partition("-")[0].partition(".")
            if pid.isdigit() and started.isdigit() and not processes.is_alive(int(pid), int(started)):
                cgroup.remove(leaf)

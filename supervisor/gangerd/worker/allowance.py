"""The memory of the job under way: what the kernel allows it, how high it came, whom the OOM killer took.

A type's own `memory` becomes the limit of this worker's leaf for as long as its job runs: the warm worker and
`memory` on top. What earlier jobs have left counts in while that is at most half of it; beyond, the limit is
put on top of what is in use, or a small job would be ended for the big one before it (master/memory.py judges
its samples by the same rule). `memory_max`, the leaf's own limit, remains the most.

The kernel's peak of resident memory begins anew after each run that was long enough to have moved it. All of
this is of the performer's making; a job without `memory` pays for none of it, a short one for nothing.
"""

import resource
from dataclasses import dataclass

from gangerd.linux import processes
from gangerd.linux.leaf_files import LeafFiles

LONG_NS = 2_000_000
"""A shorter run has taken no memory to speak of."""
_STEP_KB = 1024
"""A peak that has moved by less need not begin anew."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a failure's record says of memory. `peak_bytes` is the job's own, 0: not known."""

    peak_bytes: int = 0
    evidence: str = ""


NOTHING = Told()


class Allowance:
    """`leaf` is the memory cgroup this process lives in, empty for none; `most_bytes` the limit it has,
    None for none. `above_warm`: it has none yet, since it is charged with the whole app, which this process
    has imported by itself. `own_process`: the process is a worker and nothing else, so its peak may be
    reset."""

    def __init__(
        self,
        leaf: str = "",
        most_bytes: int | None = None,
        *,
        above_warm: bool = False,
        own_process: bool = False,
    ) -> None:
        self._leaf = LeafFiles(leaf) if leaf else None
        self._most_bytes = most_bytes
        self._warm_bytes = (self._leaf.used_bytes() or 0) if self._leaf else 0
        if above_warm and most_bytes is not None:
            self._most_bytes = self._warm_bytes + most_bytes
            self.take_back()
        self._kills = self._oom_kills()
        self.peaks_are_runs = own_process and processes.reset_peak_rss()
        """The kernel's peak of this process is that of its last run, not that of its life."""
        self._peak_kb = _peak_kb()

    def grant(self, memory_bytes: int) -> None:
        """A job begins that may add so much. Crash point: killed before `take_back`, the leaf goes with this
        worker."""
        leaf = self._leaf
        used = leaf.used_bytes() if leaf else None
        if leaf is None or used is None:
            return
        is_burdened = used - self._warm_bytes > memory_bytes // 2
        limit = (used if is_burdened else self._warm_bytes) + memory_bytes
        if self._most_bytes is None or limit < self._most_bytes:
            leaf.limit(limit)

    def take_back(self) -> None:
        """It has ended: the worker's own limit again."""
        if self._leaf is not None:
            self._leaf.limit(self._most_bytes)

    def told(self) -> Told:
        """For the record of the failure of the run that has just ended."""
        kills = self._oom_kills()
        counted = kills - self._kills
        self._kills = kills
        evidence = "Its memory cgroup counted an OOM kill meanwhile: perhaps a child of the job."
        return Told(_peak_kb() * 1024 if self.peaks_are_runs else 0, evidence if counted > 0 else "")

    def begin_anew(self) -> None:
        """After a long run: what comes has a peak and OOM kills of its own."""
        self._kills = self._oom_kills()
        if self.peaks_are_runs and _peak_kb() - self._peak_kb > _STEP_KB:
            self.peaks_are_runs = processes.reset_peak_rss()
            self._peak_kb = _peak_kb()

    def _oom_kills(self) -> int:
        return (self._leaf.oom_kills() or 0) if self._leaf else 0


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

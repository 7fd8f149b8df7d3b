"""The evidence on one dead worker, collected from the kernel, its page and the master's own notes.

Facts only: postmortem/verdict.py says what they mean. Used by burial.py.
"""

import signal
from collections.abc import Sequence
from typing import Literal

from gangerd.linux import cgroup
from gangerd.linux.kmsg import KernelLog
from gangerd.linux.reaping import Reaped
from gangerd.master.children import Child
from gangerd.master.ending import MEMORY_LIMIT, RELEASED
from gangerd.master.endings import Endings
from gangerd.master.memory_watch import MemoryWatch
from gangerd.master.remains import Remains
from gangerd.master.seats import Seat
from gangerd.postmortem.evidence import Evidence, Intent, Run, Usage
from gangerd.recorder import Phase


class Autopsy:
    """`host` is this machine's name, for people."""

    def __init__(self, seats: Sequence[Seat], endings: Endings, memory: MemoryWatch, host: str) -> None:
        self._seats = seats
        self._endings = endings
        self._memory = memory
        self._host = host
        self._kernel_log = KernelLog()

    def examine(
        self,
        child: Child,
        reaped: Reaped,
        left: Remains,
        stack: str,
        at_ms: int,
        now_ns: int,
        notes: tuple[str, ...],
    ) -> Evidence:
        """All the facts there are. The kernel's log is only asked about a SIGKILL that nothing else
        explains."""
        intent = self._intent(child, reaped)
        kills = self._oom_kills(child, left.run_seq)
        unexplained = reaped.signal == signal.SIGKILL and intent is None and not kills
        peak, peak_of = self._peak(child, reaped, left)
        return Evidence(
            worker=child.incarnation,
            slot=child.slot,
            pid=child.pid,
            generation=child.generation,
            host=self._host,
            at_ms=at_ms,
            wait_status=reaped.status,
            phase=_phase(left.phase),
            run=_run(left, now_ns),
            garbled=left.garbled,
            intent=intent,
            oom_kills=kills,
            kernel_line=self._kernel_log.oom_line(child.pid) if unexplained else None,
            stack=stack,
            usage=Usage(reaped.rusage.ru_utime, reaped.rusage.ru_stime, reaped.rusage.ru_maxrss * 1024),
            peak_rss_bytes=peak,
            peak_of=peak_of,
            lived_ms=(now_ns - child.served_ns) // 1_000_000 if child.served_ns else None,
            notes=(*_allowed(left, kills), *self._meant(child, intent), *left.notes, *notes),
        )

    def _intent(self, child: Child, reaped: Reaped) -> Intent | None:
        """Ours, if it was we who ended it: in an ending, or at a birth that took too long."""
        intent = self._endings.intent(child.incarnation)
        if intent is not None:
            return Intent(intent.cause, intent.run_seq)
        if not child.served_ns and child.reason and reaped.signal == signal.SIGKILL:
            return Intent(RELEASED, None)
        return None

    def _meant(self, child: Child, intent: Intent | None) -> tuple[str, ...]:
        """What the memory watch had against its run."""
        reason = self._memory.reason(child.incarnation)
        return (reason,) if reason and intent is not None and intent.cause == MEMORY_LIMIT else ()

    def _oom_kills(self, child: Child, run_seq: int) -> int | None:
        """By how much the leaf's counter moved in its last run; None without a leaf."""
        leaf = self._seats[child.slot].leaf
        kills = cgroup.oom_kills(leaf) if leaf else None
        if kills is None:
            return None
        return max(0, kills - self._memory.oom_kills_before(child.incarnation, run_seq))

    def _peak(self, child: Child, reaped: Reaped, left: Remains) -> tuple[int, Literal["job", "worker"]]:
        """The kernel's peak is the job's own if it was reset before it, or it was the worker's first."""
        sampled = self._memory.peak_bytes(child.incarnation, left.run_seq) if left.run_seq else 0
        peak = reaped.rusage.ru_maxrss * 1024
        if left.run_seq == 1 or (left.run_seq and left.peaks_are_runs):
            return max(sampled, peak), "job"
        return (sampled, "job") if sampled else (peak, "worker")


def _allowed(left: Remains, kills: int | None) -> tuple[str, ...]:
    """What the one that the kernel ended for its memory was allowed."""
    if not kills or left.run is None or not left.run_memory_bytes:
        return ()
    return (f"The run was allowed {left.run_memory_bytes >> 20} MB on top of its warm worker.",)


def _run(left: Remains, now_ns: int) -> Run | None:
    entry = left.run
    if entry is None:
        return None
    ran_ms = max(0, now_ns - left.run_started_ns) // 1_000_000
    return Run(entry.jid, entry.type, entry.queue, entry.attempt, left.run_seq, ran_ms)


def _phase(phase: int) -> str:
    """In a word; a page's bytes may say anything."""
    return Phase(phase).name.lower() if phase in set(Phase) else f"in phase {phase}"

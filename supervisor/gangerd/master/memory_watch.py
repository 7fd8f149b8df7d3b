"""The samples of the workers' memory, for memory.py to judge. The master's loop calls `tick` each 100 ms.

Every worker is sampled, not only those under a limit: what a run inherits from its predecessors must be
known, and a death's report wants the peak. 13 us a worker (and a cgroup's file), twice a second; one that
has rested since its last sample is passed over."""

from collections.abc import Iterable, Sequence

from gangerd.linux import cgroup
from gangerd.linux.proc import Usage
from gangerd.master import memory
from gangerd.master.children import Child
from gangerd.master.deadlines import look
from gangerd.master.lifecycle import ChildState
from gangerd.master.memory import Growth
from gangerd.master.seats import Seat
from gangerd.recorder import Word

EVERY_NS = 500_000_000
_WATCHED = (ChildState.SERVING, ChildState.RETIRING)


class MemoryWatch:
    """`limit_bytes` is the growth allowed to every worker, None for any; a job type may have a smaller
    one."""

    def __init__(self, seats: Sequence[Seat], limit_bytes: int | None) -> None:
        self._seats = seats
        self._limit_bytes = limit_bytes
        self._usage = Usage()
        self._growths: dict[str, Growth] = {}
        self._pids: dict[str, int] = {}
        self._sampled_ns: int | None = None
        self._rested: dict[str, int] = {}
        """Incarnation -> the batch word at its last sample at rest: until it changes, nothing can have."""

    def born(self, child: Child, now_ns: int) -> None:
        """At GO, before its first job: this is the warm worker."""
        rss = self._usage.rss_bytes(child.pid)
        if rss is not None:
            self._growths[child.incarnation] = memory.born(rss)
            self._pids[child.incarnation] = child.pid

    def forget(self, incarnation: str) -> None:
        """It is buried."""
        self._growths.pop(incarnation, None)
        self._rested.pop(incarnation, None)
        pid = self._pids.pop(incarnation, None)
        if pid is not None:
            self._usage.forget(pid)

    def tick(self, workers: Iterable[Child], now_ns: int) -> list[Child]:
        """Sample if it is time; the workers whose run under way is over its limit."""
        if self._sampled_ns is not None and now_ns - self._sampled_ns < EVERY_NS:
            return []
        self._sampled_ns = now_ns
        return [child for child in workers if child.state in _WATCHED and self._over(child)]

    def peak_bytes(self, incarnation: str, run_seq: int | None = None) -> int:
        """The highest sample of RSS while its last run (or this one) was under way; 0 when there was none."""
        growth = self._growths.get(incarnation)
        if growth is None or run_seq not in (None, growth.run_seq):
            return 0
        return growth.peak

    def rss_bytes(self, incarnation: str) -> int:
        """The last sample, 0 when there was none."""
        growth = self._growths.get(incarnation)
        return growth.last if growth is not None else 0

    def oom_kills_before(self, incarnation: str, run_seq: int) -> int:
        """How many OOM kills its cgroup had counted before this run began, as far as was sampled."""
        growth = self._growths.get(incarnation)
        if growth is None:
            return 0
        return growth.kills_carried if run_seq == growth.run_seq else growth.kills_last

    def left_bytes(self, incarnation: str) -> int:
        """What its ended runs have left in it, as far as was sampled."""
        growth = self._growths.get(incarnation)
        return growth.left if growth is not None else 0

    def _over(self, child: Child) -> bool:
        growth = self._growths.get(child.incarnation)
        if growth is None:
            return False
        seat = self._seats[child.slot]
        page = seat.page
        before, batch = look(page), page.words[Word.BATCH]
        if not before.run_seq and self._rested.get(child.incarnation) == batch:
            return False
        rss = self._usage.rss_bytes(child.pid)
        seen = look(page)
        # A sample between two runs is nobody's.
        if rss is None or seen.incarnation != child.incarnation or seen.run_seq != before.run_seq:
            return False
        if not seen.run_seq:
            self._rested[child.incarnation] = batch
        kills = (cgroup.oom_kills(seat.leaf) or 0) if seat.leaf else 0
        limit = memory.limit_of(seen.memory_bytes, self._limit_bytes)
        return growth.sample(seen.run_seq, rss, limit, kills)

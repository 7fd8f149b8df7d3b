"""The samples of the workers' memory, for memory.py to judge. The master's loop calls `tick` each 100 ms.

Every worker is sampled, not only those under a limit: what a run inherits from its predecessors must be
known, and a death's report wants the peak. 13 us a worker (and a cgroup's file), twice a second; one that
has rested since its last sample is passed over."""

from collections.abc import Iterable, Sequence

from gangerd import log
from gangerd.linux import cgroup
from gangerd.linux.container import Container
from gangerd.linux.proc import Usage
from gangerd.master import memory
from gangerd.master.children import Child
from gangerd.master.deadlines import look
from gangerd.master.lifecycle import ChildState
from gangerd.master.memory import Growth
from gangerd.master.memory_alarm import Alarm
from gangerd.master.seats import Seat
from gangerd.page import PageGarbled
from gangerd.recorder import Word

EVERY_NS = 500_000_000
VICTIM_WAIT_NS = 5_000_000_000
"""How long the end of one run is waited for before another is chosen to make room."""
_WATCHED = (ChildState.SERVING, ChildState.RETIRING)


class MemoryWatch:
    """`limit_bytes` is the growth allowed to every worker, None for any; a job type may have a smaller
    one. `container`: the limit of all together, None where each has a fence of its own."""

    def __init__(
        self, seats: Sequence[Seat], limit_bytes: int | None, container: Container | None = None
    ) -> None:
        self._seats = seats
        self._container = container
        self._victim: tuple[str, int, int] | None = None
        """Whose run was chosen to make room, which run, and when."""
        self._reasons: dict[str, str] = {}
        self._log = log.get()
        self.alarm = Alarm()
        self.come_to_rest: list[Child] = []
        """Whom the last tick found at rest who had worked before."""
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

    def relimit(self, limit_bytes: int | None) -> None:
        """From now on, for those that run too."""
        self._limit_bytes = limit_bytes

    def forget(self, incarnation: str) -> None:
        """It is buried."""
        self._growths.pop(incarnation, None)
        self._reasons.pop(incarnation, None)
        self._rested.pop(incarnation, None)
        pid = self._pids.pop(incarnation, None)
        if pid is not None:
            self._usage.forget(pid)

    def tick(self, workers: Iterable[Child], now_ns: int) -> list[Child]:
        """Sample if it is time; the workers whose run under way is over its limit, or has to make room."""
        self.come_to_rest = []
        if self._sampled_ns is not None and now_ns - self._sampled_ns < EVERY_NS:
            return []
        self._sampled_ns = now_ns
        watched = [child for child in workers if child.state in _WATCHED]
        over = [child for child in watched if self._over(child, now_ns)]
        return over or self._to_make_room(watched, now_ns)

    def reason(self, incarnation: str) -> str:
        """Why its run was to be ended, in a sentence; empty when it was not."""
        return self._reasons.get(incarnation, "")

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

    def _to_make_room(self, watched: Sequence[Child], now_ns: int) -> list[Child]:
        """Without fences: the one that has grown most, before the limit of all ends all."""
        room = self._container.room() if self._container is not None else None
        if room is None:
            return []
        if self._victim is not None:
            name, run_seq, at_ns = self._victim
            known = self._growths.get(name)
            if known is not None and known.run_seq == run_seq and now_ns - at_ns < VICTIM_WAIT_NS:
                return []
        growths = [
            (child.incarnation, self._growths[child.incarnation])
            for child in watched
            if child.incarnation in self._growths
        ]
        chosen = memory.biggest_grower(growths, room.limit_bytes, room.free_bytes)
        if chosen is None:
            return []
        growth = self._growths[chosen]
        self._victim = chosen, growth.run_seq, now_ns
        self._reasons[chosen] = (
            f"The limit of {_mb(room.limit_bytes)} for all workers together had {_mb(room.free_bytes)} left, "
            f"and this run had grown most, by {_mb(growth.of_run)}."
        )
        return [child for child in watched if child.incarnation == chosen]

    def _over(self, child: Child, now_ns: int) -> bool:
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
            self.come_to_rest.append(child)
        kills = (cgroup.oom_kills(seat.leaf) or 0) if seat.leaf else 0
        limit = memory.limit_of(seen.memory_bytes, self._limit_bytes)
        over = growth.sample(seen.run_seq, rss, limit, kills)
        if over:
            grown = f"It had grown by {_mb(growth.of_run)}, and its limit is {_mb(limit)}."
            self._reasons[child.incarnation] = grown
        elif growth.comes_near():
            self._warn(child, seat, growth, now_ns)
        return over

    def _warn(self, child: Child, seat: Seat, growth: Growth, now_ns: int) -> None:
        try:
            page = seat.page.snapshot()
        except PageGarbled:
            return
        if page.running is None or page.run_seq != growth.run_seq:
            return
        entry = page.held[page.running]
        unsaid = self.alarm.raised(entry.type, now_ns)
        if unsaid is not None:
            self._log.warning(
                log.JOB_MEMORY_HIGH,
                jid=entry.jid,
                type=entry.type,
                queue=entry.queue,
                attempt=entry.attempt,
                slot=child.slot,
                worker=child.incarnation,
                grown_bytes=growth.of_run,
                limit_bytes=growth.limit,
                unsaid=unsaid,
            )


def _mb(count: int) -> str:
    return f"{count >> 20} MB"

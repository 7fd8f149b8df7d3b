"""Memory by samples of RSS: how much a run has grown, whose growth it is, and who is over a limit.

Pure: samples in, decisions out. Reading RSS is memory_watch.py's, ending a run endings.py's, and where the
kernel guards a worker's memory cgroup (fence.py) this is the second line.

A limit is on growth over the worker's RSS at GO: a forked worker's RSS counts the whole warm application
although it has cost nothing yet. RSS rarely falls after a job, so what its predecessors left is the
worker's, not the run's: while that is at most half the limit it counts (the worker should have been
recycled otherwise), beyond it the run is judged by its own growth alone, or a small job would die for the
big one before it."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class Growth:
    """One worker's memory in bytes; `peak` is the highest sample in the run `run_seq`, 0 when there was
    none.

    Of its cgroup's count of OOM kills, `kills_carried` had happened before that run: a job's own child may be
    the victim, and the worker's later death is not explained by it."""

    baseline: int
    last: int
    carried: int
    run_seq: int = 0
    peak: int = 0
    limit: int = 0
    warned: bool = False
    kills_carried: int = 0
    kills_last: int = 0

    def sample(self, run_seq: int, rss: int, limit: int, oom_kills: int = 0) -> bool:
        """A sample taken while this run was under way (0: none); whether the run is over its limit (0:
        none)."""
        if run_seq != self.run_seq:
            self.carried, self.run_seq, self.peak, self.warned = self.last, run_seq, 0, False
            self.kills_carried = self.kills_last
        self.last, self.kills_last = rss, oom_kills
        if run_seq:
            self.peak, self.limit = max(self.peak, rss), limit
        else:
            self.carried, self.kills_carried = rss, oom_kills
        return bool(run_seq and limit) and rss - self.floor > limit

    @property
    def floor(self) -> int:
        """What the run's growth is counted from."""
        return self.carried if self.burdened else self.baseline

    @property
    def of_run(self) -> int:
        """How much the run under way has grown; 0 when nothing runs."""
        return max(0, self.last - self.floor) if self.run_seq else 0

    def comes_near(self) -> bool:
        """The run under way has come to use four fifths of its limit; true once a run."""
        if self.warned or not self.limit or self.of_run * 5 < self.limit * 4:
            return False
        self.warned = True
        return True

    @property
    def left(self) -> int:
        """What ended runs have left. While one is under way the last sample before it may have hit another
        at its height: so the lower of that and what is there now."""
        return max(0, min(self.carried, self.last) - self.baseline)

    @property
    def burdened(self) -> bool:
        """Earlier runs left more than half the limit."""
        return bool(self.limit) and self.carried - self.baseline > self.limit // 2


def born(rss: int) -> Growth:
    """At GO: what the worker has now is the application's, not a job's."""
    return Growth(baseline=rss, last=rss, carried=rss)


def limit_of(run_bytes: int, worker_bytes: int | None) -> int:
    """The limit in force, 0 for none: the smaller of the job type's own and the one for every worker."""
    limits = [limit for limit in (run_bytes, worker_bytes or 0) if limit > 0]
    return min(limits, default=0)


def biggest_grower(growths: Iterable[tuple[str, Growth]], limit: int, free: int) -> str | None:
    """Whose run to end, when little is `free` of the `limit` of all together: the kernel would end them all
    otherwise. None when there is room, or when no run has grown by so much that its end would make some."""
    reserve = reserve_of(limit)
    if free >= reserve:
        return None
    grown = [(growth.of_run, name) for name, growth in growths if growth.of_run >= reserve]
    return max(grown)[1] if grown else None


def reserve_of(limit: int) -> int:
    """What is kept free of a limit: what a leak takes between two samples, if it is no torrent."""
    return min(max(limit // 20, 16 << 20), 256 << 20)

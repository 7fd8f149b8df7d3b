"""This host's numbers for statsd: from its workers' pages, from the master's words in the recorder's header,
and from what the coordinator itself does for them.

A worker counts what it does; what happens to a job after its worker's death, or before its start, the host
has done and counts. What only the whole cluster knows (enqueued, depth, age) is the scheduler's. Nothing is
gathered where no statsd is configured.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ganger.limiting import IN_USE
from gangerd import log, metrics
from gangerd.config import Config
from gangerd.messages import Death, Left
from gangerd.metrics import MASTER_COUNTERS, PAGE_COUNTERS, Statsd
from gangerd.page import Page
from gangerd.recorder import COUNTERS, COUNTERS_AT, HISTOGRAM, Counter, Phase
from gangerd.roles.coordinator.counters import Deltas
from gangerd.roles.coordinator.verdicts import is_crash_record

FATES: Mapping[str, tuple[str, ...]] = {
    "retry": (metrics.JOBS_FAILED, metrics.JOBS_RETRIED),
    "bury": (metrics.JOBS_FAILED, metrics.JOBS_DEAD),
    "discard": (metrics.JOBS_FAILED, metrics.JOBS_EXHAUSTED),
    "release": (metrics.JOBS_RELEASED,),
}
"""What became of the job that ran when its worker died -> the counters that it moves. One that was lost is
counted by the leading scheduler, off the partition's own counter."""


class Figures:
    """`header`: the recorder's, where the master counts. `fresh`: no coordinator has reported for this master
    before."""

    def __init__(self, config: Config, header: Sequence[int], *, fresh: bool) -> None:
        self._statsd = Statsd.from_address(config.statsd)
        self._wanted = bool(config.statsd)
        self._host = config.host
        self._deltas = Deltas(fresh=fresh)
        self._released = 0
        self._lost = 0
        self._dropped = 0
        self._header = header
        self._counted = {word: 0 if fresh else header[word] for word in MASTER_COUNTERS}

    def beat(
        self,
        pages: Sequence[Page],
        rows: Sequence[Mapping[str, Any]],
        released: int,
        limits: Sequence[Mapping[str, Any]] = (),
        lost: int = 0,
    ) -> None:
        """The second's round: `rows` and `limits` are the heartbeat's, `released` what the host took back and
        `lost` the permits that ran out under running jobs, in all."""
        if not self._wanted:
            return
        self._gather(pages)
        self._statsd.count(metrics.JOBS_RELEASED, released - self._released)
        self._released = released
        idle = sum(row["state"] == "idle" for row in rows)
        self._statsd.gauge(metrics.WORKERS_IDLE, idle, host=self._host)
        self._statsd.gauge(metrics.WORKERS_BUSY, len(rows) - idle, host=self._host)
        generations = [row["generation"] for row in rows if "generation" in row]
        newest = max(generations, default=0)
        older = sum(generation < newest for generation in generations)
        self._statsd.gauge(metrics.GENERATION, newest, host=self._host)
        self._statsd.gauge(metrics.WORKERS_OLDER, older, host=self._host)
        for row in limits:
            names = {"host": self._host, "limit": row["name"]}
            self._statsd.gauge(metrics.LIMIT_USED, row["used"], **names)
            self._statsd.gauge(metrics.LIMIT_STANDING, row["state"] not in ("", *IN_USE), **names)
        self._statsd.count(metrics.PERMITS_LOST, lost - self._lost)
        self._lost = lost
        self._statsd.flush()

    def death(self, death: Death) -> None:
        """A death has come, perhaps not for the first time."""
        if not self._wanted or not self._deltas.death(death.worker, death.counters):
            return
        self._statsd.count(metrics.WORKERS_RESTARTS)
        if is_crash_record(death) and death.running is not None:
            held = death.held[death.running]
            self._statsd.count(metrics.CRASH, cause=death.cause)
            self._statsd.count(metrics.CRASH_OF_QUEUE, cause=death.cause, queue=held.queue)
            self._statsd.count(metrics.CRASH_OF_TYPE, cause=death.cause, type=held.type)

    def left(self, left: Left) -> None:
        """A worker has left in order: what it did since the last round."""
        if self._wanted:
            self._deltas.death(left.worker, left.counters)

    def fate(self, fate: str) -> None:
        """What became of a dead worker's job."""
        for name in FATES.get(fate, ()):
            self._statsd.count(name)

    def close(self, pages: Sequence[Page]) -> None:
        """The last round."""
        if self._wanted:
            self._gather(pages)
        self._statsd.close()

    def _gather(self, pages: Sequence[Page]) -> None:
        for page in pages:
            if page.phase != Phase.VACANT:
                self._deltas.page(page.incarnation, list(page.words[COUNTERS_AT : COUNTERS_AT + COUNTERS]))
        moved = self._deltas.take()
        for counter, name in PAGE_COUNTERS.items():
            self._statsd.count(name, moved[counter])
        for word, name in MASTER_COUNTERS.items():
            self._statsd.count(name, self._header[word] - self._counted[word])
            self._counted[word] = self._header[word]
        dropped = log.dropped()
        self._statsd.count(metrics.LOG_DROPPED, dropped - self._dropped)
        self._dropped = dropped
        for first, name in ((Counter.RUN_US, metrics.RUN), (Counter.WAIT_US, metrics.WAIT)):
            self._statsd.timing(name, moved[first : first + HISTOGRAM])

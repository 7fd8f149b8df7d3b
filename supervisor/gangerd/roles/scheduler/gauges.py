"""Depth, age and pauses of queues for statsd, and what Redis counts, as deltas: what only the whole cluster
knows.

Asked for only where statsd is configured. The leader alone sends, so nothing is counted twice; its first
look at a partition sets the mark and sends no delta.
"""

from collections import Counter

from ganger.cluster import Command
from ganger.keys import Partition
from ganger.operations import look
from gangerd import metrics
from gangerd.config import Config
from gangerd.metrics import Statsd

COUNTED = {
    "enqueued": metrics.JOBS_ENQUEUED,
    "lost": metrics.JOBS_LOST,
    "cancelled": metrics.JOBS_CANCELLED,
    "expired": metrics.JOBS_EXPIRED,
}
"""The counters of a partition that no worker's page has."""


class Gauges:
    def __init__(self, config: Config) -> None:
        self.wanted = bool(config.statsd)
        self._statsd = Statsd.from_address(config.statsd)
        self._queues: dict[str, Counter[str]] = {}
        """Queue -> gauge -> value."""
        self._marks: dict[tuple[Partition, str], int] = {}

    def command(self, partition: Partition) -> Command:
        return look.look_command(partition)

    def heard(self, partition: Partition, reply: object, now_ns: int) -> None:
        """Take note of one partition. Raises GangerError: its queue's depth is then what the others hold."""
        seen = look.parse_look(reply, partition)
        queue = self._queues.setdefault(partition.queue, Counter())
        queue[metrics.QUEUE_DEPTH] += seen.ready
        queue[metrics.QUEUE_PARKED] += seen.parked
        queue[metrics.QUEUE_PAUSED] += seen.settings.get("paused") == "1"
        queue[metrics.QUEUE_OLDEST_AGE_MS] = max(queue[metrics.QUEUE_OLDEST_AGE_MS], seen.oldest_age_ms)
        for counter, name in COUNTED.items():
            value = seen.counters.get(counter, 0)
            before = self._marks.get((partition, counter))
            self._marks[partition, counter] = value
            if before is not None and value > before:
                self._statsd.count(name, value - before)

    def send(self) -> None:
        """The end of a round."""
        for queue, gauges in self._queues.items():
            for name, value in gauges.items():
                self._statsd.gauge(name, value, queue=queue)
        self._queues = {}
        self._statsd.flush()

    def forget(self) -> None:
        """Another leader sends from now on."""
        self._marks, self._queues = {}, {}

    def close(self) -> None:
        self._statsd.close()

"""What the daemon tells statsd: every metric's name, and the one client; the only user of the statsd package.

Numbers are gathered in memory and leave once a second as a few packets that fit an Ethernet frame. Nothing
here waits: a statsd that is away, or a name that can't be resolved, costs numbers and no time. What is
counted and when is decided by the coordinator and the scheduler, who call. docs/metrics.md explains each
name.
"""

import contextlib
import ipaddress
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import statsd

from gangerd.recorder import Counter, HeaderWord

# Counters. <...> is filled in by the caller and cleaned, so that it is one level of the tree.
JOBS_ENQUEUED = "jobs.enqueued"
JOBS_STARTED = "jobs.started"
JOBS_SUCCEEDED = "jobs.succeeded"
JOBS_FAILED = "jobs.failed"
JOBS_RETRIED = "jobs.retried"
JOBS_DEAD = "jobs.dead"
JOBS_EXHAUSTED = "jobs.exhausted"
JOBS_EXPIRED = "jobs.expired"
JOBS_RELEASED = "jobs.released"
JOBS_LOST = "jobs.lost"
JOBS_CANCELLED = "jobs.cancelled"
JOBS_TIMED_OUT = "jobs.timed_out"
BATCH_CREATED = "batch.created"
BATCH_COMPLETE = "batch.complete"
BATCH_SUCCESS = "batch.success"
CRASH = "crash.<cause>"
CRASH_OF_QUEUE = "queue.<queue>.crash.<cause>"
CRASH_OF_TYPE = "type.<type>.crash.<cause>"
WORKERS_RESTARTS = "workers.restarts"
RECYCLED_JOBS = "workers.recycled.jobs"
RECYCLED_MEMORY = "workers.recycled.memory"
RECYCLED_AGE = "workers.recycled.age"
MEMORY_HIGH = "jobs.memory_high"
CRON_FIRED = "cron.fired"
CRON_SKIPPED = "cron.skipped"
CRON_MISSED = "cron.missed"
PERMITS_LOST = "limits.permits_lost"
LOG_DROPPED = "log.lines_dropped"
# Timers, in milliseconds
RUN = "jobs.run"
WAIT = "jobs.wait"
# Gauges. Those of a host carry its name: two hosts that set one gauge would overwrite each other.
QUEUE_DEPTH = "queue.<queue>.depth"
QUEUE_PARKED = "queue.<queue>.parked"
QUEUE_PAUSED = "queue.<queue>.paused"
QUEUE_OLDEST_AGE_MS = "queue.<queue>.oldest_age_ms"
WORKERS_BUSY = "host.<host>.workers.busy"
WORKERS_IDLE = "host.<host>.workers.idle"
WORKERS_OLDER = "host.<host>.older_workers"
GENERATION = "host.<host>.generation"
LIMIT_USED = "host.<host>.limit.<limit>.used"
LIMIT_STANDING = "host.<host>.limit.<limit>.standing"

PAGE_COUNTERS: Mapping[int, str] = MappingProxyType(
    {
        Counter.STARTED: JOBS_STARTED,
        Counter.SUCCEEDED: JOBS_SUCCEEDED,
        Counter.FAILED: JOBS_FAILED,
        Counter.RETRIED: JOBS_RETRIED,
        Counter.DEAD: JOBS_DEAD,
        Counter.EXHAUSTED: JOBS_EXHAUSTED,
        Counter.RELEASED: JOBS_RELEASED,
        Counter.TIMEOUTS: JOBS_TIMED_OUT,
    }
)
"""Which counter of a worker's page goes under which name."""

MASTER_COUNTERS: Mapping[int, str] = MappingProxyType(
    {
        HeaderWord.RECYCLED_JOBS: RECYCLED_JOBS,
        HeaderWord.RECYCLED_MEMORY: RECYCLED_MEMORY,
        HeaderWord.RECYCLED_AGE: RECYCLED_AGE,
        HeaderWord.MEMORY_HIGH: MEMORY_HIGH,
        HeaderWord.LOG_DROPPED: LOG_DROPPED,
    }
)
"""The same for the master's, in the recorder's header."""

PACKET_BYTES = 1400
SAMPLES = 10
"""Samples sent a second for one timer."""

_INTERVAL_S = 1.0
_RESOLVE_AGAIN_S = 300.0
_RESOLVE_RETRY_S = 30.0
_PLACEHOLDER = re.compile(r"<(\w+)>")
_UNCLEAN = re.compile(r"[^A-Za-z0-9_-]")


def named(template: str, parts: Mapping[str, str]) -> str:
    """Fill in what stands in angle brackets. A dot in a queue's or a type's name becomes an underscore.

    Raises KeyError when a part is missing.
    """
    return _PLACEHOLDER.sub(lambda match: _UNCLEAN.sub("_", parts[match.group(1)]) or "_", template)


def samples(buckets: Sequence[int], most: int = SAMPLES) -> list[float]:
    """At most so many values, in milliseconds, that stand for a histogram whose bucket i counts durations of
    less than 2^i microseconds.

    Evenly spaced quantiles ((j + 1/2) / k), interpolated within their bucket: what a percentile of them is
    off by is at most a bucket, a factor of two.
    """
    total = sum(buckets)
    count = min(total, most)
    values: list[float] = []
    bucket, below = 0, 0
    for index in range(count):
        rank = (index + 0.5) * total / count
        while below + buckets[bucket] < rank:
            below += buckets[bucket]
            bucket += 1
        low = 2.0 ** (bucket - 1) if bucket else 0.0
        values.append((low + (2.0**bucket - low) * (rank - below) / buckets[bucket]) / 1000.0)
    return values


class Statsd:
    """Gathers and sends. Not thread-safe; does nothing at all without a host.

    Args:
        host: name or address; empty: no statsd.
        prefix: in front of every name.
        clock: seconds, for the rhythm of `flush`.
    """

    def __init__(
        self,
        host: str = "",
        port: int = 8125,
        prefix: str = "ganger",
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host, self._port, self._prefix, self._clock = host, port, prefix, clock
        self._client: statsd.StatsClient | None = None
        self._counts: dict[str, int] = {}
        self._gauges: dict[str, float] = {}
        self._timings: dict[str, list[int]] = {}
        self._next_flush_s = clock()
        self._next_resolve_s = self._next_flush_s
        self._resolver: threading.Thread | None = None

    @classmethod
    def from_address(cls, address: str, prefix: str = "ganger") -> "Statsd":
        """From `host:port`, as in the settings; `[::1]:8125` for IPv6; empty: no statsd."""
        host, _, port = address.rpartition(":")
        return cls(host.strip("[]"), int(port), prefix) if host else cls(address, prefix=prefix)

    def count(self, name: str, by: int = 1, **parts: str) -> None:
        """Add to a counter."""
        if self._host and by:
            full = named(name, parts)
            self._counts[full] = self._counts.get(full, 0) + by

    def gauge(self, name: str, value: float, **parts: str) -> None:
        """Set a gauge; of several values within a second the last counts. Negative values become 0."""
        if self._host:
            self._gauges[named(name, parts)] = max(0, value)

    def timing(self, name: str, buckets: Sequence[int], **parts: str) -> None:
        """Add durations as a histogram: bucket i counts those of less than 2^i microseconds.

        At most SAMPLES values a second are sent, each with the share of the durations it stands for as its
        sampling rate: percentiles are right on any server, counts and means on one that honours rates for
        timers. Exact counts are in the jobs counters.
        """
        if self._host and any(buckets):
            full = named(name, parts)
            known = self._timings.get(full)
            self._timings[full] = (
                [old + new for old, new in zip(known, buckets, strict=True)] if known else list(buckets)
            )

    def flush(self, *, now: bool = False) -> bool:
        """Send what was gathered, if the last time was a second ago (or `now`); whether something was sent.

        To be called by the owner's loop as often as it likes. Never blocks and never raises.
        """
        at_s = self._clock()
        if not self._host or (at_s < self._next_flush_s and not now):
            return False
        self._next_flush_s = at_s + _INTERVAL_S
        self._keep_resolved(at_s)
        client = self._client
        if client is None or not (self._counts or self._gauges or self._timings):
            return False
        pipeline = client.pipeline()
        for name, by in self._counts.items():
            pipeline.incr(name, by)
        for name, value in self._gauges.items():
            pipeline.gauge(name, round(value, 3))
        for name, buckets in self._timings.items():
            self._add_samples(pipeline, name, buckets)
        pipeline.send()
        self._counts, self._gauges, self._timings = {}, {}, {}
        return True

    def close(self) -> None:
        """Send the rest and close."""
        self.flush(now=True)
        if self._client is not None:
            self._client.close()
            self._client = None

    @staticmethod
    def _add_samples(pipeline: statsd.client.udp.Pipeline, name: str, buckets: Sequence[int]) -> None:
        values, total = samples(buckets), sum(buckets)
        rate = f"|@{len(values) / total:.6g}" if len(values) < total else ""
        for value in values:
            # Not pipeline.timing(rate=...): that one drops at random, while these are samples already.
            pipeline._send_stat(name, f"{value:.3f}|ms{rate}", 1)

    def _keep_resolved(self, at_s: float) -> None:
        """Look the address up, at times: it may change. An address at once, a name in a thread of its own."""
        if at_s < self._next_resolve_s or (self._resolver is not None and self._resolver.is_alive()):
            return
        self._next_resolve_s = at_s + (_RESOLVE_AGAIN_S if self._client is not None else _RESOLVE_RETRY_S)
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(self._host)
            if self._client is None:
                self._resolve()
            return
        self._resolver = threading.Thread(target=self._resolve, name="statsd-resolver", daemon=True)
        self._resolver.start()

    def _resolve(self) -> None:
        for ipv6 in (False, True):
            try:
                client = statsd.StatsClient(
                    self._host, self._port, self._prefix, maxudpsize=PACKET_BYTES, ipv6=ipv6
                )
            except OSError:
                continue
            # A full socket buffer must cost a packet, not time; the package swallows the error.
            client._sock.setblocking(False)
            self._client = client
            return

"""One run's configuration, whole and checked: what the command line hands to the master, and the master to
its children.

Nothing here reads a file or the environment: settings.py builds it. A `Config` holds plain values only (it
may hold a password, so it travels in a memfd and never on a command line) and knows the paths that follow
from it. Imported by the master and the template, so it knows neither Redis nor the engine."""

import json
import os
import socket
from pathlib import Path
from typing import Any, Self

import msgspec

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_CONFIG = 78


class DeadBounds(msgspec.Struct, frozen=True):
    """How many dead letters a queue keeps and for how long; None: as all queues do."""

    max_count: int | None = None
    max_age_ms: int | None = None


class Limit(msgspec.Struct, frozen=True):
    """How much of one queue, or of one job type, may go on over all hosts: so many at one moment, so many in
    a time, or both."""

    queue: str = ""
    """Of a queue, or "" for one of a type; one of the two."""
    concurrency: int = 0
    """Jobs that run at one moment; 0: as many as like."""
    on_lost: str = "end"
    """What becomes of a running job whose permit is lost: "end" (released) or "finish"."""
    type: str = ""
    rate: str = ""
    """How many begin in what time, "100/60s"; "" for any number."""
    burst: int = 0
    """So many at once, and `rate` on average; 0: never more than `rate` says in any such time."""
    limit_key: str = ""
    """Where the value is by which jobs are told apart ("args.tenant"): it holds for each by itself."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of `ganger run`, with its default."""

    app: str = ""
    """Module (`shop.tasks`) whose import registers the jobs."""
    namespace: str = "ganger"
    redis: str = ""
    """redis:// or rediss:// URL; empty: the embedded servers of `dir`."""
    semaphores: tuple[str, ...] = ()
    embedded: bool = False
    """This run starts (or joins) the embedded servers of `dir`."""
    dir: str = ".ganger"
    run_at: str = ""
    """The run directory; empty: systemd's, or the one in `dir`."""
    health: str = ""
    """host:port or unix:/path of the endpoint for probes; empty: none."""
    statsd: str = ""
    """host:port, empty for none."""
    workers: int = 4
    queues: dict[str, int] = {}
    """Name to weight; empty: every queue of the app's jobs."""
    order: str = "weighted"
    """Or "strict": a queue is served only while those before it in `queues` show no work."""
    retain: dict[str, tuple[int, int]] = {}
    """Queue to (age in ms, number) of ended jobs that it keeps; 0: no bound, both 0: none."""
    preload: bool = True
    shutdown_timeout_s: float = 25.0
    reload_timeout_s: float = 900.0
    """How long a job may go on in an older generation after a reload."""
    memory_max_bytes: int | None = None
    """Growth over the warm app that a job may cause where its type sets no `memory`."""
    recycle_jobs: int | None = None
    """Runs after which a worker is replaced by a fresh one; None here and below: never for that."""
    recycle_memory_bytes: int | None = None
    """What ended jobs may leave in a worker before it is replaced."""
    recycle_age_ms: int | None = None
    durability: str = "fast"
    max_job_bytes: int = 1_048_576
    unknown_types: str = "refuse"
    max_result_bytes: int = 65_536
    """The largest result of a tracked job that is kept."""
    log_level: str = "info"
    log_format: str = "auto"
    lease_ms: int = 15_000
    renew_ms: int = 5_000
    host: str = msgspec.field(default_factory=socket.gethostname)
    partitions: int = 12
    """Of a queue not seen before: fixed in Redis at its first push."""
    dead_max_count: int = 10_000
    """Dead letters that a queue keeps."""
    dead_max_age_ms: int = 180 * 24 * 3600 * 1000
    dead: dict[str, DeadBounds] = {}
    """By queue, where one's own bounds differ."""
    limits: dict[str, Limit] = {}
    """By name; those set by `ganger limits set` come before them."""
    crons: tuple[dict[str, Any], ...] = ()
    """The [[cron]] tables as they were written."""
    cron_places: tuple[str, ...] = ()
    """Where each of them is, for what is told of it: `ganger.toml line 12:`."""

    def __repr__(self) -> str:
        return f"Config(app={self.app!r}, dir={self.dir!r}, ...)"  # the rest may hold a password

    @property
    def run_dir(self) -> Path:
        """Where this host's recorder, status file and death spool are."""
        if self.run_at:
            return Path(self.run_at)
        systemd = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
        return Path(systemd) if systemd else Path(self.dir) / "run"

    @property
    def strict_order(self) -> tuple[str, ...]:
        """The queues in their order where that alone decides; empty where the weights do."""
        return tuple(self.queues) if self.order == "strict" else ()

    @property
    def status_file(self) -> Path:
        return self.run_dir / "status.json"

    @property
    def embedded_file(self) -> Path:
        """Where the embedded servers say how to reach them."""
        return Path(self.dir) / "embedded.json"

    def redis_url(self) -> str:
        """The URL to connect to; for embedded servers read from their file at each call, so "" until they
        are up."""
        if self.redis:
            return self.redis
        return str(_embedded(self.embedded_file).get("redis", ""))

    def semaphore_urls(self) -> tuple[str, ...]:
        if self.semaphores or self.redis:
            return self.semaphores
        found = _embedded(self.embedded_file).get("semaphores")
        return tuple(map(str, found)) if isinstance(found, list) else ()

    def dead_bounds(self, queue: str) -> tuple[int, int]:
        """(most dead letters, greatest age in ms) of a queue."""
        own = self.dead.get(queue, DeadBounds())
        count = self.dead_max_count if own.max_count is None else own.max_count
        return count, self.dead_max_age_ms if own.max_age_ms is None else own.max_age_ms

    @property
    def leaf_bytes(self) -> int | None:
        """The limit that a worker's memory cgroup is made with; None: none. A worker that imports the app by
        itself sets it on top of that, when it has."""
        return self.memory_max_bytes if self.preload else None

    def to_fd(self) -> int:
        """A memfd that holds this configuration; the caller closes it."""
        fd = os.memfd_create("ganger-config", os.MFD_CLOEXEC)
        os.write(fd, msgspec.json.encode(self))
        return fd

    @classmethod
    def load_fd(cls, fd: int) -> Self:
        """Read what to_fd wrote; any number of processes may, since the offset is not used.

        Raises msgspec.MsgspecError when it is no configuration."""
        return msgspec.json.decode(os.pread(fd, os.fstat(fd).st_size, 0), type=cls)


def _embedded(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}

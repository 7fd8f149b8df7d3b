"""The daemon's log: structured lines, JSON for machines and readable for people.

The only user of structlog. Every event name is a constant here, so that the list of what can be in a log is
this file. Writing never waits for a reader (linux/outlet.py). Called by every process of the daemon.
"""

import contextlib
import json
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from gangerd.linux.outlet import Outlet

# structlog takes rich for its tracebacks if it finds it, and a third of its import time goes there: too much
# for each process of a tree that has to stand again within a second. A log wants plain ones anyway.
_rich = sys.modules.get("rich")
sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402

if _rich is None:
    del sys.modules["rich"]
else:
    sys.modules["rich"] = _rich

# The master's life
STARTING = "master.starting"
SERVING = "master.serving"
START_FAILED = "master.start_failed"
DRAINING = "master.draining"
FORCED = "master.forced"
STOPPED = "master.stopped"
SIGNAL_RECEIVED = "master.signal"
STATE_DUMPED = "master.state_dumped"
MASTER_WAS_AWAY = "master.was_away"
STATUS_UNWRITTEN = "master.status_unwritten"
SELF_CHECK_FAILED = "master.self_check_failed"
HEALTH_UNSERVED = "health.unserved"
STRAY_REAPED = "master.stray_reaped"
GARBAGE_RECEIVED = "master.garbage_received"
MESSAGE_UNEXPECTED = "master.message_unexpected"
FENCE_CHOSEN = "master.fence_chosen"
NOT_ALONE = "master.not_alone"
PREDECESSOR_FOUND = "master.predecessor_found"
PREDECESSOR_TROUBLE = "master.predecessor_trouble"
# Generations
RELOAD_BEGUN = "reload.begun"
RELOAD_COMMITTED = "reload.committed"
RELOAD_DONE = "reload.done"
RELOAD_FAILED = "reload.failed"
RELOAD_IGNORED = "reload.ignored"
RELOAD_REMEMBERED = "reload.remembered"
JOB_OUTSTAYED = "reload.job_outstayed"
TEMPLATE_READY = "template.ready"
TEMPLATE_FAILED = "template.failed"
TEMPLATE_WARNING = "template.warning"
# Workers
WORKER_SPAWN_FAILED = "worker.spawn_failed"
WORKER_READY = "worker.ready"
WORKER_LEFT = "worker.left"
WORKER_RECYCLED = "worker.recycled"
WORKER_DIED = "worker.died"
WORKER_STUCK = "worker.stuck"
WORKER_LEFTOVERS = "worker.leftovers"
HOOK_FAILED = "worker.hook_failed"
PAGE_GARBLED = "worker.page_garbled"
WORKERS_HELD_BACK = "worker.restarts_held_back"
# Jobs
JOB_FAILED = "job.failed"
JOB_ENDED = "job.ended_from_outside"
JOB_LEFTOVERS = "job.leftovers"
JOB_MEMORY_HIGH = "job.memory_high"
JOB_SPARED = "job.spared"
JOBS_RELEASED = "job.released"
# Roles
ROLE_STARTED = "role.started"
ROLE_READY = "role.ready"
ROLE_FAILED = "role.failed"
ROLE_DIED = "role.died"
ROLE_REPLACED = "role.replaced"
# The coordinator's and the scheduler's work
DEATH_SETTLED = "death.settled"
SPOOL_TROUBLE = "death.spool_trouble"
DEATH_WAITS = "death.waits"
DEATH_SET_ASIDE = "death.set_aside"
LEASE_LOST = "lease.lost"
LEASE_JUDGED = "lease.judged"
EFFECT_GARBLED = "outbox.garbled"
RENEWAL_LATE = "lease.renewal_late"
PARTITIONS_MENDED = "partitions.mended"
LIMITS_STAND = "limits.stand_still"
LIMITS_BACK = "limits.back"
LIMIT_LOST = "limits.permit_lost"
LIMITS_CHANGED = "limits.changed"
PAUSES_MENDED = "pauses.mended"
LEADER_WON = "leader.won"
LEADER_LOST = "leader.lost"
CRON_FIRED = "cron.fired"
CRON_SKIPPED = "cron.skipped"
CRON_MISSED = "cron.missed"
CRON_BEGUN = "cron.begun"
CRON_REFUSED = "cron.refused"
REDIS_DOWN = "redis.down"
REDIS_BACK = "redis.back"
REDIS_REFUSED = "redis.refused"
EMBEDDED_STARTED = "embedded.started"
EMBEDDED_STOPPED = "embedded.stopped"
# Ourselves
LINES_DROPPED = "log.lines_dropped"
INTERNAL_ERROR = "internal.error"

Format = Literal["auto", "json", "console"]
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}

# Greedy up to the last @ before a space or a quote: a password may hold nearly anything.
_CREDENTIALS = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s\"'<>]*@")
_SECRET_KEYS = {"password", "passwd", "secret"}


class Logger(Protocol):
    """What the rest of the daemon sees of a logger. `event` is one of the constants above."""

    def bind(self, **fields: Any) -> "Logger": ...
    def debug(self, event: str, **fields: Any) -> Any: ...
    def info(self, event: str, **fields: Any) -> Any: ...
    def warning(self, event: str, **fields: Any) -> Any: ...
    def error(self, event: str, **fields: Any) -> Any: ...
    def exception(self, event: str, **fields: Any) -> Any: ...


_outlet: Outlet | None = None
_level = _LEVELS["info"]
_fields: dict[str, Any] = {}
_fork_hook_set = False


def configure(
    format: Format = "auto", level: str = "info", *, role: str, fd: int = 2, threaded: bool = True
) -> None:
    """Send the log of this process to `fd`; every line carries it (as `process`) and the pid.

    auto means console on a terminal and JSON elsewhere. A process that forks (the template) says
    threaded=False: it writes inline whenever there is room. Forked children do so by themselves.
    Raises ValueError for an unknown level or format.
    """
    global _outlet, _level, _fork_hook_set
    if level not in _LEVELS or format not in ("auto", "json", "console"):
        raise ValueError(f"log level {level!r} or format {format!r} is unknown")
    terminal = os.isatty(fd)
    _level = _LEVELS[level]
    _processors[-1] = (
        _console(colors=terminal) if format == "console" or (format == "auto" and terminal) else _JSON
    )
    if _outlet is not None:
        _outlet.stop_thread(0.0)
    _outlet = Outlet(fd, threaded=threaded, tell_dropped=_dropped_line)
    _fields.clear()
    _fields.update(process=role, pid=os.getpid())
    if not _fork_hook_set:
        os.register_at_fork(after_in_child=after_fork)
        _fork_hook_set = True


def get(**fields: Any) -> Logger:
    """A logger whose lines carry these fields. May be called before `configure`, also at import.

    Built without structlog's global settings: those belong to the application that a worker runs.
    """
    logger: Logger = structlog.wrap_logger(
        _Sink(),
        processors=_processors,
        wrapper_class=structlog.make_filtering_bound_logger(0),
        context_class=dict,
        cache_logger_on_first_use=True,
        **fields,
    )
    return logger


def flush(deadline_s: float = 1.0) -> bool:
    """Wait for what is logged to be written, at most so long; False when something is left. For the exit."""
    return _outlet.flush(deadline_s) if _outlet is not None else True


def stop_thread(deadline_s: float = 1.0) -> bool:
    """Become single-threaded before a fork; False when the thread hangs in a write nobody reads."""
    return _outlet.stop_thread(deadline_s) if _outlet is not None else True


def after_fork(role: str | None = None) -> None:
    """In a forked child (called by itself at each fork): a fresh ring, no thread, the child's own pid."""
    if _outlet is not None:
        _outlet.after_fork()
        _fields["pid"] = os.getpid()
    if role is not None:
        _fields["process"] = role


def dropped() -> int:
    """How many lines this process has lost because nobody read them."""
    return _outlet.dropped if _outlet is not None else 0


def mask_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: no password of a URL, and no field called so, reaches the output."""
    for key, value in event.items():
        event[key] = "***" if key in _SECRET_KEYS else _masked(value)
    return event


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return _CREDENTIALS.sub(r"\1***@", value) if "://" in value else value
    if isinstance(value, Mapping):
        return {key: "***" if key in _SECRET_KEYS else _masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(item) for item in value]
    if value is None or isinstance(value, int | float):
        return value
    return _masked(str(value) if isinstance(value, BaseException) else repr(value))


class _Sink:
    """Where structlog's rendered lines go."""

    def msg(self, line: str) -> None:
        data = (line + "\n").encode("utf-8", "backslashreplace")
        if _outlet is not None:
            _outlet.write(data)
        else:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(line + "\n")

    debug = info = warning = warn = error = critical = exception = fatal = log = msg


def _dropped_line(count: int) -> bytes:
    event = _compose(None, "warning", {"event": LINES_DROPPED, "count": count})
    return json.dumps(event).encode() + b"\n"


def _wanted(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if _LEVELS.get(method, 40) < _level:
        raise structlog.DropEvent
    return event


def _compose(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    level = "error" if method == "exception" else method
    return {"at": at, "level": level, "event": event.pop("event"), **_fields, **event}


def _console(*, colors: bool) -> Any:
    return structlog.dev.ConsoleRenderer(
        colors=colors, timestamp_key="at", sort_keys=False, exception_formatter=structlog.dev.plain_traceback
    )


_JSON = structlog.processors.JSONRenderer(ensure_ascii=False, default=repr)
# One list for all loggers, made before or after `configure`, which replaces the last element.
_processors: list[Any] = [
    _wanted,
    _compose,
    structlog.processors.format_exc_info,
    mask_secrets,
    _console(colors=False),
]

"""What each setting may be: one table, from the name in ganger.toml to the field of Config and its check.

A check takes what TOML, the environment or a flag gave and returns the value for Config, or raises Refused
with what is allowed. It reads nothing else. settings.py adds the place of a mistake."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gangerd.config import DeadBounds
from gangerd.errors import Refused
from gangerd.limit_values import limit_tables

_NAME = re.compile(r"[A-Za-z0-9_.:/-]+")
_AMOUNT = r"(\d{1,18}(?:\.\d{1,18})?)"
"""More digits than that would be no number of anything, and infinite as a float."""
_SIZE = re.compile(rf"{_AMOUNT}\s*([KMGT]?)(i?B)?", re.IGNORECASE)
_SPAN = re.compile(rf"{_AMOUNT}\s*(s|m|h|d)")
_UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_NODE = r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/,@\[\]]+)(?::\d{1,5})?"
_URL = re.compile(rf"rediss?://(?:[^/\s].*@|@)?{_NODE}(?:,\s*{_NODE})*(?:/0?)?")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(:[^\W\d]\w*(\.[^\W\d]\w*)*)?")


_AGE = re.compile(rf"{_AMOUNT}\s*([smhd])")
_TEN_YEARS_S = 3653 * 86400


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    field: str
    rule: Callable[[Any], Any]

    def check(self, value: Any) -> Any:
        try:
            return self.rule(value)
        except Refused as refused:
            raise Refused(f"{self.name} {refused}") from None


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def rule(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Refused(f"must be a whole number from {low:,} to {high:,}, not {value!r}")
        return value

    return rule


_DEAD_COUNT = _whole(1, 10_000_000)


def _seconds(low: float, high: float) -> Callable[[Any], float]:
    def rule(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise Refused(f"must be a number of seconds from {low:g} to {high:g}, not {value!r}")
        return float(value)

    return rule


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def rule(value: Any) -> str:
        if value not in allowed:
            raise Refused(f"must be one of {', '.join(allowed)}, not {value!r}")
        return str(value)

    return rule


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused(f"must be true or false, not {value!r}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Refused(f"must be a text in quotes, not {value!r}")
    return value.strip()


def _module(value: Any) -> str:
    if not isinstance(value, str) or not _MODULE.fullmatch(value):
        raise Refused(f"must be the name of a module, as in an import (shop.tasks), not {value!r}")
    return value


def endpoint(value: Any) -> str:
    """host:port, or unix: and an absolute path."""
    if isinstance(value, str) and value.startswith("unix:/") and len(value) <= len("unix:") + 100:
        return value
    if isinstance(value, str) and re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):\d{1,5}", value):
        return value
    raise Refused(f"must be host:port or unix:/path (an absolute one, at most 100 letters), not {value!r}")


def _namespace(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value) or len(value) > 64:
        raise Refused(f"must be 1 to 64 letters, digits or any of _.:/- and not {value!r}")
    return value


def queue_weights(value: Any) -> dict[str, int]:
    """Name to weight; also a list of names, each of weight 1."""
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        value = dict.fromkeys(value, 1)
    if not isinstance(value, dict):
        raise Refused(f"must be a table of names and weights (mail = 3), not {value!r}")
    for name, weight in value.items():
        if not _NAME.fullmatch(name) or len(name) > 64:
            raise Refused(f"has the name {name!r}: it must be 1 to 64 letters, digits or any of _.:/-")
        if isinstance(weight, bool) or not isinstance(weight, int) or not 1 <= weight <= 1000:
            raise Refused(f"gives {name!r} the weight {weight!r}: it must be a whole number from 1 to 1,000")
    return dict(value)


def span_ms(value: Any) -> int:
    """7d, 12h, 30m, 90s: milliseconds."""
    found = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if not found or not (amount := int(float(found[1]) * _UNIT_MS[found[2]])):
        raise Refused(f"must be a time such as 7d, 12h or 30m, not {value!r}")
    return amount


def retentions(value: Any) -> dict[str, tuple[int, int]]:
    """Queue to (age in ms, number): "7d", or { age = "7d", count = 1_000_000 }, or false for nothing."""
    if not isinstance(value, dict):
        raise Refused(f'must be a table of queues and times (mail = "7d"), not {value!r}')
    found = {}
    for name, given in value.items():
        if not _NAME.fullmatch(name) or len(name) > 64:
            raise Refused(f"has the name {name!r}: it must be 1 to 64 letters, digits or any of _.:/-")
        wanted = {"age": given} if isinstance(given, str) else {} if given is False else given
        if (
            not isinstance(wanted, dict)
            or wanted.keys() - {"age", "count"}
            or (given is not False and not wanted)
        ):
            raise Refused(
                f'gives {name!r} {given!r}: it must be "7d", {{ age = "7d", count = 1000 }} or false'
            )
        count = wanted.get("count", 0)
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise Refused(f"gives {name!r} the count {count!r}: it must be a whole number")
        found[name] = (span_ms(wanted["age"]) if "age" in wanted else 0, count)
    return found


def size_bytes(value: Any) -> int:
    """512M, 1.5GiB or a number of bytes; K, M, G, T are powers of 1024."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1 << 20:
        return value
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found:
        power = " KMGT".index(found[2].upper() or " ")
        size = int(float(found[1]) * 1024**power)
        if size >= 1 << 20:
            return size
    raise Refused(f"must be a size of at least 1M, as in 512M or 2G, not {value!r}")


def age_ms(value: Any) -> int:
    """180d, 12h, 30m, 90s, or a number of seconds."""
    found = _AGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found:
        value = float(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= _TEN_YEARS_S:
        raise Refused(f"must be a time from 1 s to ten years, as in 12h or 180d, not {value!r}")
    return int(value * 1000)


def dead_bounds(value: Any) -> dict[str, DeadBounds]:
    """Queue to its own bounds."""
    if not isinstance(value, dict):
        raise Refused(f"must be a table of queues, each with max_count and max_age, not {value!r}")
    found = {}
    for queue, bounds in value.items():
        if not _NAME.fullmatch(queue) or len(queue) > 64:
            raise Refused(f"has the queue {queue!r}: it must be 1 to 64 letters, digits or any of _.:/-")
        if not isinstance(bounds, dict) or not bounds.keys() <= {"max_count", "max_age"}:
            raise Refused(f"of {queue!r} may have max_count and max_age and nothing else, not {bounds!r}")
        checked = {}
        for name, field, rule in (("max_count", "max_count", _DEAD_COUNT), ("max_age", "max_age_ms", age_ms)):
            try:
                checked[field] = rule(bounds[name]) if name in bounds else None
            except Refused as refused:
                raise Refused(f"of {queue!r}: {name} {refused}") from None
        found[queue] = DeadBounds(**checked)
    return found


def _url(value: Any) -> str:
    """Shape alone; the text may hold a password, so it is never quoted. The engine reads it in full: it is
    not asked here, because the master's process builds its configuration and must stay free of it."""
    if not isinstance(value, str) or not _URL.fullmatch(value.strip()):
        raise Refused("must be a URL as redis://host:port (several nodes: redis://h1:p1,h2:p2)")
    ports = re.findall(r":(\d+)(?:,|/|$)", value.strip().rpartition("@")[2])
    if not all(0 < int(port) < 65536 for port in ports):
        raise Refused("must be a URL whose ports are from 1 to 65535")
    return value.strip()


def _urls(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Refused("must be a list of URLs")
    return tuple(_url(one) for one in value)


def _host_port(value: Any) -> str:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise Refused(f"must be host:port, not {value!r}")
    return str(value)


def cron_tables(value: Any) -> tuple[dict[str, Any], ...]:
    """Shape alone: what the entries say can only be checked beside the app's jobs, by the engine."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Refused("must be tables, each under a line of its own that says [[cron]]")
    try:
        json.dumps(value)
    except TypeError:
        raise Refused("holds a date or a time: write it in quotes, it travels as JSON") from None
    return tuple(value)


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("app", "app", _module),
        Setting("namespace", "namespace", _namespace),
        Setting("redis", "redis", _url),
        Setting("semaphores", "semaphores", _urls),
        Setting("embedded", "embedded", _flag),
        Setting("dir", "dir", _text),
        Setting("run_dir", "run_at", _text),
        Setting("health", "health", endpoint),
        Setting("statsd", "statsd", _host_port),
        Setting("workers", "workers", _whole(1, 1000)),
        Setting("queues", "queues", queue_weights),
        Setting("order", "order", _one_of("weighted", "strict")),
        Setting("retain", "retain", retentions),
        Setting("preload", "preload", _flag),
        Setting("shutdown_timeout", "shutdown_timeout_s", _seconds(0, 86400)),
        Setting("reload_timeout", "reload_timeout_s", _seconds(0, 604_800)),
        Setting("memory_max", "memory_max_bytes", size_bytes),
        Setting("recycle_jobs", "recycle_jobs", _whole(1, 1_000_000_000)),
        Setting("recycle_memory", "recycle_memory_bytes", size_bytes),
        Setting("recycle_age", "recycle_age_ms", age_ms),
        Setting("durability", "durability", _one_of("fast", "replicated", "fsynced")),
        Setting("max_job_bytes", "max_job_bytes", _whole(1024, 64 << 20)),
        Setting("unknown_types", "unknown_types", _one_of("refuse", "warn", "allow")),
        Setting("max_result_bytes", "max_result_bytes", _whole(0, 16 << 20)),
        Setting("log_level", "log_level", _one_of("debug", "info", "warning", "error")),
        Setting("log_format", "log_format", _one_of("auto", "json", "console")),
        Setting("lease_ms", "lease_ms", _whole(1000, 3_600_000)),
        Setting("renew_ms", "renew_ms", _whole(200, 1_200_000)),
        Setting("host", "host", _namespace),
        Setting("partitions", "partitions", _whole(1, 1024)),
        Setting("dead_max_count", "dead_max_count", _DEAD_COUNT),
        Setting("dead_max_age", "dead_max_age_ms", age_ms),
        Setting("dead", "dead", dead_bounds),
        Setting("cron", "crons", cron_tables),
        Setting("limits", "limits", limit_tables),
    )
}

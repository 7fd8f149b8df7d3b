"""What [limits.NAME] may say, checked part by part, and what several of them may not say together; every
mistake of one limit in one sentence.

Reads nothing. values.py has it in its table of settings; `ganger limits set` checks by it what it is to set.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from gangerd.config import Limit
from gangerd.errors import Refused

MOST = 100_000
MOST_PER_QUEUE = 3
"""Limits that a queue, or a type, may have: a job needs what each of them asks for."""
ON_LOST = ("end", "finish")
_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_TYPE = re.compile(r"[A-Za-z0-9_.:/-]{1,120}")
_KEY = re.compile(r"args(\.[\w-]{1,64}){1,8}")
_RATE = re.compile(r"\s*(\d+)\s*/\s*(\d+\.?\d*|\.\d+)?\s*(ms|s|m|h|d)\s*")
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LONGEST_MS = 31 * _UNITS_MS["d"]


class Rule(Protocol):
    """What a limit says of what it holds for, wherever it is written."""

    @property
    def queue(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def limit_key(self) -> str: ...


def limit_tables(value: Any) -> dict[str, Limit]:
    """Name to limit."""
    if not isinstance(value, dict):
        raise Refused(f"must be tables, as [limits.mail] with queue = and concurrency =, not {value!r}")
    return {name: checked(name, given) for name, given in value.items()}


def checked(name: str, given: Any) -> Limit:
    """The limit of this name that says what is given. Raises Refused."""
    if not _NAME.fullmatch(name):
        raise Refused(f"has the name {name!r}: it must be 1 to 64 letters, digits or any of _.:/-")
    if not isinstance(given, dict):
        raise Refused(f"of {name!r} must be a table: [limits.{name}] with queue = and concurrency =")
    wrong = [f"{key} is not known" for key in given if key not in _PARTS]
    parts: dict[str, Any] = {}
    for key, part in _PARTS.items():
        if key in given:
            try:
                parts[key] = part(given[key])
            except Refused as refused:
                wrong.append(f"{key} {refused}")
    wrong += _together(given, parts)
    if wrong:
        raise Refused(f"of {name!r}: {'; '.join(wrong)}")
    return Limit(**parts)


def conflicts(limits: Mapping[str, Rule]) -> list[str]:
    """A sentence for each queue and type with too many of them, and for those that tell the same jobs apart
    by different values: a job waits under one."""
    said = []
    for kind in ("queue", "type"):
        for place in sorted({getattr(limit, kind) for limit in limits.values()} - {""}):
            names = sorted(name for name, limit in limits.items() if getattr(limit, kind) == place)
            if len(names) > MOST_PER_QUEUE:
                said.append(
                    f"limits give {kind} {place!r} {len(names)} limits ({', '.join(names)}):"
                    f" {MOST_PER_QUEUE} is the most"
                )
            said += _apart(limits, names, f"on {kind} {place!r} have different limit_keys")
    keyed = {name: limit for name, limit in limits.items() if limit.limit_key}
    if any(limit.queue for limit in keyed.values()) and any(limit.type for limit in keyed.values()):
        # Any queue may have jobs of any type.
        said += _apart(keyed, sorted(keyed), "on queues and on types have different limit_keys")
    return said


def _apart(limits: Mapping[str, Rule], names: Iterable[str], what: str) -> list[str]:
    keys = {name: limits[name].limit_key for name in names if limits[name].limit_key}
    if len(set(keys.values())) < 2:
        return []
    each = ", ".join(f"{name}: {key}" for name, key in keys.items())
    return [f"limits {what} ({each}): a job is told apart by one value, so give them the same"]


def _together(given: Mapping[str, Any], parts: Mapping[str, Any]) -> list[str]:
    """What is wrong with parts that are right each by itself."""
    wrong = []
    if ("queue" in given) == ("type" in given):
        wrong.append("give either queue or type: what it holds for")
    if "concurrency" not in given and "rate" not in given:
        wrong.append("give concurrency, rate or both: what it allows")
    if "burst" in given and "rate" not in given:
        wrong.append("burst needs a rate")
    if "burst" not in given and int(parts.get("rate", "0/").partition("/")[0]) > MOST:
        wrong.append(f"rate without a burst is at most {MOST:,} in its time")
    return wrong


def _concurrency(value: Any) -> int:
    return _whole(value, MOST)


def _burst(value: Any) -> int:
    return _whole(value, 10_000_000)


def _whole(value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise Refused(f"must be a whole number from 1 to {most:,}, not {value!r}")
    return value


def _queue(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise Refused(f"must be the name of a queue, not {value!r}")
    return value


def _type(value: Any) -> str:
    if not isinstance(value, str) or not _TYPE.fullmatch(value):
        raise Refused(f"must be the name of a job type, not {value!r}")
    return value


def _rate(value: Any) -> str:
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Refused(
            f'must be like "100/60s": how many may begin, a stroke, and in what time, not {value!r}'
        )
    period_ms = float(found[2] or 1) * _UNITS_MS[found[3]]
    if int(found[1]) < 1 or not 1 <= period_ms <= _LONGEST_MS:
        raise Refused(f"must be at least 1, in a time from 1 ms to 31 days, not {value!r}")
    return "".join(value.split())


def _limit_key(value: Any) -> str:
    if not isinstance(value, str) or not _KEY.fullmatch(value):
        raise Refused(
            'must say which argument tells jobs apart, as "args.tenant", "args.0" or'
            f' "args.order.customer", not {value!r}'
        )
    return value


def _on_lost(value: Any) -> str:
    if value not in ON_LOST:
        raise Refused(f"must be {' or '.join(ON_LOST)}, not {value!r}")
    return str(value)


_PARTS = {
    "queue": _queue,
    "type": _type,
    "concurrency": _concurrency,
    "rate": _rate,
    "burst": _burst,
    "limit_key": _limit_key,
    "on_lost": _on_lost,
}

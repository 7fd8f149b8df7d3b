"""What [limits.NAME] may say, checked part by part; every mistake of one limit in one sentence.

Reads nothing. values.py has it in its table of settings.
"""

import re
from typing import Any

from gangerd.config import Limit
from gangerd.errors import Refused

MOST = 100_000
MOST_PER_QUEUE = 3
"""Limits that a queue may have: a job needs a permit of each."""
ON_LOST = ("end", "finish")
_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_UNSUPPORTED = {
    "type": "would limit a job type, which no host can do: give those jobs a queue of their own",
    "limit_key": "would limit by key, which no host can do: give each key a queue of its own",
    "rate": "would limit how many begin in a time, which no host can do: use rate_limit in the handler",
}


def limit_tables(value: Any) -> dict[str, Limit]:
    """Name to limit."""
    if not isinstance(value, dict):
        raise Refused(f"must be tables, as [limits.mail] with queue = and concurrency =, not {value!r}")
    return {name: _limit(name, given) for name, given in value.items()}


def crowded(limits: dict[str, Limit]) -> list[str]:
    """A sentence for each queue with too many of them."""
    said = []
    for queue in sorted({limit.queue for limit in limits.values()}):
        names = sorted(name for name, limit in limits.items() if limit.queue == queue)
        if len(names) > MOST_PER_QUEUE:
            said.append(
                f"limits give queue {queue!r} {len(names)} limits ({', '.join(names)}):"
                f" {MOST_PER_QUEUE} is the most"
            )
    return said


def _limit(name: str, given: Any) -> Limit:
    if not _NAME.fullmatch(name):
        raise Refused(f"has the name {name!r}: it must be 1 to 64 letters, digits or any of _.:/-")
    if not isinstance(given, dict):
        raise Refused(f"of {name!r} must be a table: [limits.{name}] with queue = and concurrency =")
    wrong = [f"{key} {_UNSUPPORTED.get(key, 'is not known')}" for key in given if key not in _RULES]
    checked: dict[str, Any] = {}
    for key, rule in _RULES.items():
        if key not in given and key in _OPTIONAL:
            continue
        try:
            checked[key] = rule(given.get(key))
        except Refused as refused:
            wrong.append(f"{key} {refused}")
    if wrong:
        raise Refused(f"of {name!r}: {'; '.join(wrong)}")
    return Limit(**checked)


def _concurrency(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
        raise Refused(f"must be a whole number from 1 to {MOST:,}, not {value!r}")
    return value


def _queue(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise Refused(f"must be the name of a queue, not {value!r}")
    return value


def _on_lost(value: Any) -> str:
    if value not in ON_LOST:
        raise Refused(f"must be {' or '.join(ON_LOST)}, not {value!r}")
    return str(value)


_RULES = {"queue": _queue, "concurrency": _concurrency, "on_lost": _on_lost}
_OPTIONAL = {"on_lost"}

"""The options of a job type: their checks, their defaults, and what the manifest says of them. No I/O.

An option that nobody knows is refused, never ignored. `Options.entry()` is one type in the manifest, which
the host announces; a Policy (retry.py) is read back from it.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from ganger.errors import BadOptions
from ganger.keys import DEFAULT_PRIORITY, PRIORITIES, check_queue
from ganger.retry import DEFAULT_CRASH_LIMIT, DEFAULT_GRACE_S, DEFAULT_RETRY, DEFAULT_TIMEOUT_S

DEFAULT_QUEUE = "default"
MAX_RETRY = 1000
MAX_TIMEOUT_S = 30 * 24 * 3600.0
_SIZE = re.compile(r"(\d{1,18})\s*([KMGkmg])i?[bB]?\Z")
_SHIFTS = {"K": 10, "M": 20, "G": 30}
BY_FUNCTION = "()"
"""Stands in `unique_key` for a function, which only the process that defines the type has."""
DEFAULT_TRACK_S = 1800.0
"""How long the end of a job is known that is declared with track=True."""
Backoff = float | Sequence[float] | Callable[[int], float] | str
"""Seconds; a list of them (the last goes on); a function of the number of the retry (1, 2, ...);
"exponential"."""


class Options(msgspec.Struct, frozen=True):
    """What @job was told, checked. Times in seconds (a timedelta will do), memory in bytes (or "512M")."""

    queue: str = DEFAULT_QUEUE
    priority: int = DEFAULT_PRIORITY
    retry: int = DEFAULT_RETRY
    backoff: tuple[float, ...] | None = None
    retry_on: tuple[str, ...] = ()
    discard_on: tuple[str, ...] = ()
    timeout: float = DEFAULT_TIMEOUT_S
    grace: float = DEFAULT_GRACE_S
    expires_in: float | None = None
    dead: bool = False
    crash_limit: int = DEFAULT_CRASH_LIMIT
    memory: int | None = None
    track: float | None = None
    unique_for: float | None = None
    unique_until: str = "success"
    unique_key: tuple[str, ...] | None = None
    on_conflict: str = "skip"
    encrypt: bool = False
    params: tuple[str, ...] = ()
    """The handler's parameters by place, told for unique types only: who pushes by name must find the same
    digest."""

    def entry(self) -> dict[str, Any]:
        """This type in the manifest: JSON-able."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


_GIVEN = tuple(name for name in Options.__struct_fields__ if name != "params")
"""What a user may say; `params` is found out."""


def make(given: dict[str, Any]) -> Options:
    """Check the options given to @job. Raises BadOptions, which names the option; BadName for the queue."""
    if unknown := [name for name in given if name not in _GIVEN]:
        there = ("name", *_GIVEN, "cron", "tz")
        close = difflib.get_close_matches(unknown[0], there, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(there)}."
        raise BadOptions(f"unknown option {unknown[0]!r}: {hint}")
    checked = {name: value for name, value in given.items() if value is not None}
    retry = _whole("retry", checked.get("retry", DEFAULT_RETRY), 0, MAX_RETRY)
    if "backoff" in checked:
        checked["backoff"] = _backoff(checked["backoff"], retry)
    for name in ("retry_on", "discard_on"):
        if name in checked:
            checked[name] = _exception_names(name, checked[name])
    _check_unique(checked)
    for name in ("dead", "encrypt"):
        if name in checked and not isinstance(checked[name], bool):
            raise BadOptions(f"option {name} must be True or False, not {checked[name]!r}.")
    return Options(
        **{name: _CHECKS[name](value) if name in _CHECKS else value for name, value in checked.items()}
    )


def check_priority(value: Any) -> int:
    """A priority from 1 to 9, or BadOptions."""
    return _whole("priority", value, PRIORITIES[0], PRIORITIES[-1])


def check_retry(value: Any) -> int:
    return _whole("retry", value, 0, MAX_RETRY)


def check_timeout(value: Any) -> float:
    """Always finite: a job without a limit would be renewed for ever when it hangs."""
    return _seconds("timeout", value, MAX_TIMEOUT_S, zero=False)


def check_expires_in(value: Any) -> float:
    return _seconds("expires_in", value, 10 * 365 * 24 * 3600.0, zero=False)


def check_unique_for(value: Any) -> float:
    """A lock that nobody frees must end some day, so it always has a time."""
    return _seconds("unique_for", value, 365 * 24 * 3600.0, zero=False)


def check_on_conflict(value: Any) -> str:
    return _word("on_conflict", value, ("skip", "raise", "replace"))


def check_span(name: str, value: Any) -> float:
    """Seconds of something that is no option of a job: above 0, at most ten years."""
    return _seconds(name, value, 10 * 365 * 24 * 3600.0, zero=False)


def check_track(value: Any) -> float | None:
    """Seconds, True for DEFAULT_TRACK_S, False for none."""
    if isinstance(value, bool):
        return DEFAULT_TRACK_S if value else None
    return _seconds("track", value, 30 * 24 * 3600.0, zero=False)


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "queue": check_queue,
    "priority": check_priority,
    "retry": check_retry,
    "timeout": check_timeout,
    "grace": lambda value: _seconds("grace", value, 3600.0, zero=True),
    "expires_in": check_expires_in,
    "track": check_track,
    "crash_limit": lambda value: _whole("crash_limit", value, 1, 1000),
    "unique_for": check_unique_for,
    "unique_until": lambda value: _word("unique_until", value, ("success", "start")),
    "unique_key": lambda value: _unique_key(value),
    "on_conflict": check_on_conflict,
    "memory": lambda value: _whole("memory", size(value), 1 << 20, 1 << 50),
}


def _check_unique(given: dict[str, Any]) -> None:
    for name in ("unique_until", "unique_key", "on_conflict"):
        if name in given and "unique_for" not in given:
            raise BadOptions(f"option {name} needs unique_for: how long the lock lasts at most, in seconds.")


def _unique_key(value: Any) -> tuple[str, ...]:
    """Names of arguments; a function is kept apart (unique.py) and shows as BY_FUNCTION."""
    if callable(value):
        return (BY_FUNCTION,)
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
    if not names or not all(isinstance(name, str) and name.isidentifier() for name in names):
        raise BadOptions(f"option unique_key takes names of arguments, or a function of them, not {value!r}.")
    return names


def _word(name: str, value: Any, words: tuple[str, ...]) -> str:
    if value not in words:
        raise BadOptions(f"option {name} must be {' or '.join(map(repr, words))}, not {value!r}.")
    return str(value)


def _whole(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadOptions(f"option {name} must be a whole number from {least} to {most}, not {value!r}.")
    return value


def size(value: Any) -> Any:
    """Bytes of a size as people write it, "512M" or "2G" (powers of 1024); anything else as it is."""
    match = _SIZE.match(value) if isinstance(value, str) else None
    return int(match[1]) << _SHIFTS[match[2].upper()] if match else value


def _seconds(name: str, value: Any, most: float, *, zero: bool) -> float:
    value = value.total_seconds() if isinstance(value, timedelta) else value
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    if not fits or not (0 <= value <= most if zero else 0 < value <= most):
        raise BadOptions(f"option {name} must be seconds, above 0 and at most {most:.0f}, not {value!r}.")
    return float(value)


def _backoff(given: Backoff, retry: int) -> tuple[float, ...]:
    """The delays before retry 1, 2, ... in seconds, worked out now: the coordinator has no user code to
    call."""
    if given == "exponential":
        return tuple(min(2.0**n, 3600.0) for n in range(1, min(retry, 12) + 1)) or (2.0,)
    if isinstance(given, str):
        raise BadOptions(f'option backoff: the only word it knows is "exponential", not {given!r}.')
    delays: Iterable[Any]
    if callable(given):
        delays = [given(n) for n in range(1, max(retry, 1) + 1)]
    else:
        delays = given if isinstance(given, Sequence) else [given]
    checked = tuple(_seconds("backoff", delay, 365 * 24 * 3600.0, zero=True) for delay in delays)
    if not checked:
        raise BadOptions("option backoff must not be empty; leave it out for the default.")
    return checked


def _exception_names(option: str, given: Any) -> tuple[str, ...]:
    names = []
    for one in given if isinstance(given, list | tuple | set | frozenset) else [given]:
        if isinstance(one, type) and issubclass(one, BaseException):
            names.append(f"{one.__module__}.{one.__qualname__}")
        elif isinstance(one, str) and one:
            names.append(one)
        else:
            raise BadOptions(f"option {option} takes exception classes or their names, not {one!r}.")
    return tuple(names)


_defined: dict[str, Options] = {}


def define(type: str, options: Options) -> None:
    """This process defines the type; actor.py calls it."""
    _defined[type] = options


def defined(type: str) -> Options | None:
    """The options of a type that this process defines, or None."""
    return _defined.get(type)

"""What may be said at one push: `Client.push(..., delay=60)`, `send.options(priority=9)`. Checked, no I/O.

The options of a type are in options.py; a push that leaves one out gets the type's.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ganger import options as known
from ganger.errors import BadOptions

MAX_HEADER_BYTES = 8192


class PushOptions(msgspec.Struct, frozen=True):
    """What may be said at one push; None leaves it to the type. Times in seconds."""

    queue: str | None = None
    priority: int | None = None
    delay: float | timedelta | None = None
    at: datetime | float | None = None
    retry: int | None = None
    timeout: float | timedelta | None = None
    expires_in: float | timedelta | None = None
    headers: dict[str, str] | None = None
    unique_for: float | timedelta | None = None
    on_conflict: str | None = None
    jid: str | None = None
    """Of an earlier push, or reserved: nothing is added twice."""
    track: bool | float | timedelta | None = None

    def overrides(self) -> dict[str, Any]:
        """What the worker must know of it, checked. Raises BadOptions."""
        found: dict[str, Any] = {}
        if self.retry is not None:
            found["retry"] = known.check_retry(self.retry)
        if self.timeout is not None:
            found["timeout"] = known.check_timeout(self.timeout)
        return found

    def due(self) -> tuple[int | None, int | None]:
        """(delay_ms, at_ms), at most one of them given. Raises BadOptions."""
        if self.delay is not None and self.at is not None:
            raise BadOptions("give either delay or at, not both.")
        if self.delay is not None:
            delay_s = _number("delay", self.delay)
            if delay_s < 0:
                raise BadOptions(f"delay must be 0 or more seconds from now, not {self.delay!r}.")
            delay_ms = int(delay_s * 1000)
            return (delay_ms, None) if delay_ms > 0 else (None, None)
        if self.at is None:
            return None, None
        if isinstance(self.at, datetime):
            if self.at.tzinfo is None:
                raise BadOptions("at must have a time zone: datetime.now(UTC) + ..., or seconds since 1970.")
            return None, int(self.at.timestamp() * 1000)
        return None, int(_number("at", self.at) * 1000)


def push_options(given: Mapping[str, Any]) -> PushOptions:
    """The options of one push, checked. Raises BadOptions."""
    for name in given:
        if name not in PushOptions.__struct_fields__:
            raise BadOptions(
                f"unknown option {name!r} for a push; there are {', '.join(PushOptions.__struct_fields__)}."
            )
    chosen = PushOptions(**given)
    # Now, and not at the push: the mistake is on this line.
    chosen.overrides()
    chosen.due()
    if chosen.unique_for is not None:
        known.check_unique_for(chosen.unique_for)
    if chosen.on_conflict is not None:
        known.check_on_conflict(chosen.on_conflict)
    if chosen.priority is not None:
        known.check_priority(chosen.priority)
    if chosen.headers is not None:
        check_headers(chosen.headers)
    if chosen.track is not None:
        known.check_track(chosen.track)
    return chosen


def check_headers(headers: Any) -> dict[str, str]:
    """Texts by name, MAX_HEADER_BYTES of them at most, or BadOptions."""
    if not isinstance(headers, dict):
        raise BadOptions(f"headers must be a dict of texts, not {type(headers).__name__}.")
    weight = 0
    for name, text in headers.items():
        if not isinstance(name, str) or not name or not isinstance(text, str):
            raise BadOptions(f"header {name!r} must be a text under a name, not {type(text).__name__}.")
        weight += _bytes(name, name) + _bytes(name, text)
    if weight > MAX_HEADER_BYTES:
        raise BadOptions(f"the headers have {weight} bytes; at most {MAX_HEADER_BYTES} are allowed.")
    return headers


def _bytes(name: str, text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise BadOptions(f"header {name!r}: a lone surrogate can't be sent as UTF-8.") from None


def _number(name: str, value: Any) -> float:
    value = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e11 < value < 1e11:
        raise BadOptions(f"{name} must be a number of seconds, at most 1e11, not {value!r}.")
    return float(value)

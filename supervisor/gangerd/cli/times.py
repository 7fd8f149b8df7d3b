"""Times and rates as they are written on the command line. Pure but for the local time zone and the `now_ms`
it is given; raises Usage, which names the option."""

import re
from datetime import UTC, datetime

from gangerd.errors import Usage

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/\s*(s|m|h))?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}


def span_s(option: str, text: str) -> float:
    """Seconds: 90, 500ms, 5m, 1h, 2d."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise Usage(f"{option} must be a time such as 90, 500ms, 5m or 1h, not {text!r}.")
    return float(found[1]) * _SECONDS[found[2]]


def instant(option: str, text: str) -> datetime:
    """An instant with its time zone; without one it is the local time here."""
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise Usage(
            f"{option} must be an instant such as 2031-05-01T08:00+02:00, or seconds since 1970,"
            f" not {text!r}."
        ) from None


def past_ms(option: str, text: str, now_ms: int) -> int:
    """An instant in ms since 1970, or how long ago it was: 90s, 5m, 2d. A bare number is an instant."""
    found = _SPAN.fullmatch(text.strip())
    if found is not None and found[2] is not None:
        return now_ms - int(span_s(option, text) * 1000)
    try:
        return int(instant(option, text).timestamp() * 1000)
    except Usage:
        raise Usage(
            f"{option} must be a time that was so long ago (90s, 5m, 2d), an instant such as"
            f" 2031-05-01T08:00+02:00, or seconds since 1970, not {text!r}."
        ) from None


def rate_s(option: str, text: str) -> float:
    """So many a second: 50/s, 300/m, 50."""
    found = _RATE.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        raise Usage(f"{option} must be a rate such as 50/s or 300/m, not {text!r}.")
    return float(found[1]) / _SECONDS[found[2]]

"""Times and rates as they are written on the command line. Pure but for the local time zone and the `now_ms`
it is given; raises Usage, which names the option."""

import re
from datetime import UTC, datetime, timedelta

from gangerd.errors import Usage

_NUMBER = r"\d{1,18}(?:\.\d{1,18})?"
"""More digits would be infinite as a float."""
_SPAN = re.compile(rf"({_NUMBER})\s*(ms|s|m|h|d)?")
_AGO = re.compile(rf"-?\s*({_NUMBER}\s*(?:ms|s|m|h|d))(?:\s+ago)?")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_RATE = re.compile(rf"({_NUMBER})\s*(?:/\s*(s|m|h))?")
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
    """An instant in ms since 1970: `now`; how long ago it was (90s, `2h ago`, -5m); `14:05`, the last time
    that it was; or as `instant` reads it. A bare number is an instant."""
    text = text.strip()
    if text == "now":
        return now_ms
    if found := _AGO.fullmatch(text):
        return now_ms - int(span_s(option, found[1]) * 1000)
    try:
        if found := _CLOCK.fullmatch(text):
            return _last(int(found[1]), int(found[2]), int(found[3] or 0), now_ms)
        return int(instant(option, text).timestamp() * 1000)
    except (Usage, ValueError):
        raise Usage(
            f"{option} must be a time that was so long ago (90s, 5m, '2h ago'), a time of day (14:05), now,"
            f" an instant such as 2031-05-01T08:00+02:00, or seconds since 1970, not {text!r}."
        ) from None


def _last(hour: int, minute: int, second: int, now_ms: int) -> int:
    now = datetime.fromtimestamp(now_ms / 1000).astimezone()
    today = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
    # Taken apart and put together again: a day of 23 hours may lie between.
    day = today if today <= now else today - timedelta(days=1)
    return int(day.replace(tzinfo=None).astimezone().timestamp() * 1000)


def rate_s(option: str, text: str) -> float:
    """So many a second: 50/s, 300/m, 50."""
    found = _RATE.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        raise Usage(f"{option} must be a rate such as 50/s or 300/m, not {text!r}.")
    return float(found[1]) / _SECONDS[found[2]]

"""Instants of the past as people type them. Pure but for the local time zone and the `now_ms` it is given."""

import re
from datetime import datetime, timedelta

from gangerd.errors import Usage

_AGO = re.compile(r"-?\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)(?:\s+ago)?")
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/\s*(s|m|h))?")


def moment_ms(option: str, text: str, now_ms: int) -> int:
    """An instant in ms since 1970: `now`; `2h ago`, `-2h` or `2h`; `14:05`, the last time that it was;
    2031-05-01T08:00+02:00, here without a zone; seconds since 1970. Raises Usage, which names the option."""
    text = text.strip()
    if text == "now":
        return now_ms
    if found := _AGO.fullmatch(text):
        return now_ms - int(float(found[1]) * _UNIT_MS[found[2]])
    try:
        if found := _CLOCK.fullmatch(text):
            return _last(int(found[1]), int(found[2]), int(found[3] or 0), now_ms)
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return int(float(text) * 1000)
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Usage(
            f"{option} must be an instant such as 14:05, '2h ago', now, 2031-05-01T08:00+02:00"
            f" or seconds since 1970, not {text!r}."
        ) from None


def _last(hour: int, minute: int, second: int, now_ms: int) -> int:
    now = datetime.fromtimestamp(now_ms / 1000).astimezone()
    today = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
    # Taken apart and put together again: a day of 23 hours may lie between.
    day = today if today <= now else today - timedelta(days=1)
    return int(day.replace(tzinfo=None).astimezone().timestamp() * 1000)


def told(at_ms: int) -> str:
    """2031-05-01 08:00:00 +0200, by this machine's zone."""
    try:
        return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    except (ValueError, OverflowError, OSError):
        return str(at_ms)


def rate(option: str, text: str) -> float:
    """Jobs a second: 50, 50/s, 300/m. Raises Usage."""
    found = _RATE.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise Usage(f"{option} must be a rate such as 50/s or 300/m, not {text!r}.")
    return float(found[1]) / (_UNIT_MS[found[2]] / 1000 if found[2] else 1)

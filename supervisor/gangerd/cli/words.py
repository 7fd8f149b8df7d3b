"""Numbers, times and sizes as people read them. Pure: what they say depends on their arguments alone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_SPANS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"))


def number(value: int | None) -> str:
    """1,234; a dash for what is not known."""
    return "-" if value is None else f"{value:,}"


def span(duration_ms: float | None) -> str:
    """The largest unit that fits: 3 m, 1.5 s, 40 ms."""
    if duration_ms is None:
        return "-"
    for unit_ms, name in _SPANS:
        if duration_ms >= unit_ms:
            amount = duration_ms / unit_ms
            return f"{amount:.1f} {name}" if name == "s" and amount < 10 else f"{int(amount)} {name}"
    return f"{max(0, int(duration_ms))} ms"


def ago(at_ms: int | None, now_ms: int) -> str:
    """3 m ago, in 5 s, now."""
    if not at_ms:
        return "-"
    if abs(now_ms - at_ms) < 1000:
        return "now"
    return f"{span(now_ms - at_ms)} ago" if now_ms > at_ms else f"in {span(at_ms - now_ms)}"


def instant(at_ms: int) -> str:
    """2031-05-01 08:00:00, by this machine's clock and zone; the number where a calendar ends."""
    try:
        return datetime.fromtimestamp(at_ms / 1000).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return str(at_ms)


def zoned(at_ms: int, tz: str) -> str:
    """2031-05-01 08:00 +02:00 (06:00 UTC): as that zone writes it, and as UTC does."""
    local = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(tz))
    utc = local.astimezone(UTC)
    shown = local.isoformat(sep=" ", timespec="minutes")
    offset = shown[16:]
    return f"{shown[:16]} {offset} ({utc:%H:%M} UTC)" if local.utcoffset() else f"{shown[:16]} UTC"


def moment(at_ms: int) -> str:
    """2031-05-01 08:00:00 +0200, by this machine's clock and zone; the number where a calendar ends."""
    try:
        return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    except (ValueError, OverflowError, OSError):
        return str(at_ms)


def size(value: int | None) -> str:
    """12 MB, in powers of 1024."""
    if not value:
        return "-"
    amount = float(value)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TB"


def plural(count: int, noun: str) -> str:
    """1 job, 1,234 jobs."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

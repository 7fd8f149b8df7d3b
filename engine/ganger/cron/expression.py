"""A schedule: a cron expression in a time zone, and the instants at which it ticks. The one door of croniter.

PURE: instants come in and go out, in ms since 1970; nothing here reads a clock. croniter sees naive local
times only, and what a change of the clocks does to a tick is decided here:

    a schedule that names hours     "30 2 * * *", "0 */2 * * *"      goes by what a clock on the wall shows
      a tick in the missing hour    is at the moment of the change   and is one tick, however many it merges
      a tick in the doubled hour    is at the first of the two       never at the second
    a schedule of every hour        "*/15 * * * *", "0 0-23 * * *"   goes by the time that passes
      a tick in the missing hour    does not exist
      a tick in the doubled hour    is twice

Fields are five; finer than a minute there is nothing, since a change of leaders alone may take seconds.
"""

import re
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from ganger.errors import BadOptions

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = "minute, hour, day of month, month, day of week"
_SHAPE = re.compile(r"[0-9A-Za-z*,/#?-]+(?: [0-9A-Za-z*,/#?-]+){4}")
_RANDOM = re.compile(r"(?:^|[ ,/-])[RrHh](?:$|[ ,/-])")
_WEEK_S = 7 * 24 * 3600
MAX_YEARS = 8
"""A schedule without a tick for longer is refused: from one 29 February to the next it is eight at most."""


class Schedule:
    """`text` in the zone `tz`, both as they were given. Raises BadOptions for one that can't be followed."""

    def __init__(self, text: str, tz: str = "UTC") -> None:
        self.text = text
        self.tz = tz
        self._plain = _plain(text)
        self._zone = check_zone(tz)
        self.every_hour = _is_every_hour(text, self._plain)
        try:
            self.after(0)
        except _never() as error:
            raise BadOptions(f"cron {text!r} never ticks: there is no such day.") from error

    def __repr__(self) -> str:
        return f"Schedule({self.text!r}, {self.tz!r})"

    def after(self, at_ms: int) -> int:
        """The first tick that is later than `at_ms`."""
        began_s = at_ms // 1000
        offset_s = self._offset_s(began_s)
        local_s = began_s + offset_s
        while True:
            found_s = self._next_local_s(local_s)
            change_s = self._first_change_s(local_s - offset_s, found_s - offset_s, offset_s)
            if change_s is None:
                if self.every_hour or not self._is_second_time(found_s - offset_s):
                    return (found_s - offset_s) * 1000
                local_s = found_s
                continue
            later_s = self._offset_s(change_s)
            if not self.every_hour and found_s < change_s + later_s:
                return change_s * 1000  # its hour is missing
            local_s, offset_s = change_s + later_s - 1, later_s

    def between(self, after_ms: int, until_ms: int, most: int) -> list[int]:
        """The first `most` ticks later than `after_ms` and not after `until_ms`."""
        ticks: list[int] = []
        tick_ms = after_ms
        while len(ticks) < most and (tick_ms := self.after(tick_ms)) <= until_ms:
            ticks.append(tick_ms)
        return ticks

    def latest(self, after_ms: int, until_ms: int) -> int | None:
        """The last tick of that span, however many there are in it. None: there is none."""
        span_ms = 3_600_000
        while True:
            from_ms = max(after_ms, until_ms - span_ms)
            tick_ms, found_ms = self.after(from_ms), None
            while tick_ms <= until_ms:
                tick_ms, found_ms = self.after(tick_ms), tick_ms
            if found_ms is not None or from_ms == after_ms:
                return found_ms
            span_ms *= 8

    def local(self, at_ms: int) -> datetime:
        """That instant as the schedule's own zone writes it."""
        return datetime.fromtimestamp(at_ms / 1000, self._zone)

    def _next_local_s(self, local_s: int) -> int:
        from croniter import croniter

        made = croniter(self._plain, float(local_s), max_years_between_matches=MAX_YEARS)
        return int(made.get_next(float))

    def _offset_s(self, at_s: int) -> int:
        offset = datetime.fromtimestamp(at_s, self._zone).utcoffset()
        assert offset is not None
        return int(offset.total_seconds())

    def _is_second_time(self, at_s: int) -> bool:
        """Whether a clock on the wall has shown that time before."""
        return datetime.fromtimestamp(at_s, self._zone).fold == 1

    def _first_change_s(self, from_s: int, to_s: int, offset_s: int) -> int | None:
        """The first second of (from, to] with another offset. No zone changes back within a week."""
        while from_s < to_s:
            step_s = min(from_s + _WEEK_S, to_s)
            if self._offset_s(step_s) != offset_s:
                return self._bisect(from_s, step_s, offset_s)
            from_s = step_s
        return None

    def _bisect(self, low_s: int, high_s: int, offset_s: int) -> int:
        while high_s - low_s > 1:
            middle_s = (low_s + high_s) // 2
            if self._offset_s(middle_s) == offset_s:
                low_s = middle_s
            else:
                high_s = middle_s
        return high_s


@lru_cache(maxsize=1024)
def schedule(text: str, tz: str) -> Schedule:
    """The same, made once. Raises BadOptions."""
    return Schedule(text, tz)


def _plain(text: Any) -> str:
    """Five fields, without an alias. Raises BadOptions."""
    if not isinstance(text, str) or not text.strip():
        raise BadOptions(f"cron must be a text of five fields ({_FIELDS}), not {text!r}.")
    plain = " ".join(text.split())
    if plain.startswith("@"):
        if plain.lower() not in _ALIASES:
            raise BadOptions(f"cron {text!r}: there are {', '.join(_ALIASES)}, or five fields ({_FIELDS}).")
        return _ALIASES[plain.lower()]
    count = plain.count(" ") + 1
    if count in (6, 7):
        raise BadOptions(f"cron {text!r} has {count} fields: five are allowed ({_FIELDS}); seconds are not.")
    if count != 5 or not _SHAPE.fullmatch(plain):
        raise BadOptions(f"cron {text!r}: want five fields ({_FIELDS}), not {count}.")
    if _RANDOM.search(plain):
        raise BadOptions(f"cron {text!r}: H and R are not known here; write the minute or hour you want.")
    return plain


def _is_every_hour(text: str, plain: str) -> bool:
    from croniter import CroniterError, croniter

    try:
        hours = croniter.expand(plain)[0][1]
    except (CroniterError, ValueError) as error:
        raise BadOptions(f"cron {text!r} can't be read: {error}.") from error
    return hours == ["*"] or set(hours) == set(range(24))


def _never() -> type[Exception]:
    from croniter import CroniterBadDateError

    found: type[Exception] = CroniterBadDateError
    return found


def check_zone(tz: Any) -> ZoneInfo:
    """The zone of that name. Raises BadOptions; `localtime` is refused, for hosts may differ."""
    try:
        if not isinstance(tz, str) or not tz.isascii() or tz.lower() == "localtime":
            raise ValueError
        return ZoneInfo(tz)
    except (ValueError, OSError, KeyError):
        raise BadOptions(
            f"tz {tz!r} is no time zone that is known here; want a name such as Europe/Berlin or UTC."
        ) from None

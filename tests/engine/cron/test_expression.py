"""Schedules: their ticks, where clocks change, and what is no schedule."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies

from ganger.cron.expression import Schedule
from ganger.errors import BadOptions


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def ticks(cron: str, tz: str, after: str, count: int) -> list[str]:
    made = Schedule(cron, tz)
    return [made.local(at).isoformat(timespec="minutes") for at in made.between(ms(after), 1 << 52, count)]


# schedule, after, ticks; all in UTC
TICKS = {
    "every 5 minutes": ("*/5 * * * *", "2031-01-31T23:52", ["2031-01-31T23:55", "2031-02-01T00:00"]),
    "a tick is not after itself": ("0 0 * * *", "2031-01-01T00:00", ["2031-01-02T00:00"]),
    "a moment before": ("0 0 * * *", "2030-12-31T23:59:59.999", ["2031-01-01T00:00"]),
    "an alias": ("@monthly", "2031-01-31T12:00", ["2031-02-01T00:00", "2031-03-01T00:00"]),
    "names of days": ("30 6 * * mon-fri", "2031-01-03T12:00", ["2031-01-06T06:30"]),
    "7 is Sunday too": ("0 0 * * 7", "2031-01-01T00:00", ["2031-01-05T00:00"]),
    "day of month or of week": ("0 0 13 * 5", "2031-01-08T00:00", ["2031-01-10T00:00", "2031-01-13T00:00"]),
    "the last day": ("0 0 L * *", "2031-02-01T00:00", ["2031-02-28T00:00", "2031-03-31T00:00"]),
    "the second Friday": ("0 0 * * 5#2", "2031-01-01T00:00", ["2031-01-10T00:00", "2031-02-14T00:00"]),
    "29 February": ("0 0 29 2 *", "2031-01-01T00:00", ["2032-02-29T00:00", "2036-02-29T00:00"]),
}


@pytest.mark.parametrize("case", TICKS)
def test_ticks(case: str) -> None:
    cron, after, expected = TICKS[case]
    assert ticks(cron, "UTC", f"{after}+00:00", len(expected)) == [f"{tick}+00:00" for tick in expected]


BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
# Berlin 2031: 02:00 to 03:00 is missing on 30 March, and there twice on 26 October.
CLOCKS = {
    "named hour, missing: at the change": (
        ("30 2 * * *", BERLIN, "2031-03-29T12:00+01:00"),
        ["2031-03-30T03:00+02:00", "2031-03-31T02:30+02:00"],
    ),
    "named hour, missing: several ticks are one": (
        ("*/20 2 * * *", BERLIN, "2031-03-30T01:00+01:00"),
        ["2031-03-30T03:00+02:00", "2031-03-31T02:00+02:00"],
    ),
    "named hour, missing: one with a tick of its own": (
        ("0,30 2,3 * * *", BERLIN, "2031-03-30T01:00+01:00"),
        ["2031-03-30T03:00+02:00", "2031-03-30T03:30+02:00", "2031-03-31T02:00+02:00"],
    ),
    "named hour, doubled: at the first": (
        ("*/30 2 * * *", BERLIN, "2031-10-26T01:00+02:00"),
        ["2031-10-26T02:00+02:00", "2031-10-26T02:30+02:00", "2031-10-27T02:00+01:00"],
    ),
    "named hour, doubled: asked in the second": (
        ("30 2 * * *", BERLIN, "2031-10-26T02:10+01:00"),
        ["2031-10-27T02:30+01:00"],
    ),
    "named hours, doubled: after the second": (
        ("15 2-4 * * *", BERLIN, "2031-10-26T02:00+02:00"),
        ["2031-10-26T02:15+02:00", "2031-10-26T03:15+01:00", "2031-10-26T04:15+01:00"],
    ),
    "every hour, missing: no tick": (
        ("*/30 * * * *", BERLIN, "2031-03-30T01:00+01:00"),
        ["2031-03-30T01:30+01:00", "2031-03-30T03:00+02:00", "2031-03-30T03:30+02:00"],
    ),
    "every hour, doubled: twice": (
        ("*/30 0-23 * * *", BERLIN, "2031-10-26T01:50+02:00"),
        [f"2031-10-26T02:{minute}{zone}" for zone in ("+02:00", "+01:00") for minute in ("00", "30")],
    ),
    "every second hour names hours": (
        ("0 */2 * * *", BERLIN, "2031-03-30T00:30+01:00"),
        ["2031-03-30T03:00+02:00", "2031-03-30T04:00+02:00"],
    ),
    "New York, doubled": (
        ("30 1 * * *", NEW_YORK, "2031-11-01T12:00-04:00"),
        ["2031-11-02T01:30-04:00", "2031-11-03T01:30-05:00"],
    ),
    "a change of half an hour": (
        ("*/15 * * * *", "Australia/Lord_Howe", "2031-04-06T01:30+11:00"),
        ["2031-04-06T01:45+11:00", "2031-04-06T01:30+10:30", "2031-04-06T01:45+10:30"],
    ),
    "midnight is missing": (
        ("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00-03:00"),
        ["2018-11-04T01:00-02:00", "2018-11-05T00:00-02:00"],
    ),
    "far away, over several changes": (
        ("30 2 29 2 *", BERLIN, "2031-10-26T02:10+01:00"),
        ["2032-02-29T02:30+01:00", "2036-02-29T02:30+01:00"],
    ),
}


@pytest.mark.parametrize("case", CLOCKS)
def test_changes_of_the_clocks(case: str) -> None:
    (cron, tz, after), expected = CLOCKS[case]
    assert ticks(cron, tz, after, len(expected)) == expected


# Days on which clocks change: forward, back, by half an hour, at midnight, and a zone that once lost a day.
CHANGES = [
    (BERLIN, "2031-03-30"),
    (BERLIN, "2031-10-26"),
    (NEW_YORK, "2031-11-02"),
    ("Australia/Lord_Howe", "2031-04-06"),
    ("Australia/Lord_Howe", "2031-10-05"),
    ("America/Havana", "2031-03-09"),
    ("America/Havana", "2031-11-02"),
    ("Pacific/Apia", "2011-12-30"),
    ("Africa/Casablanca", "2026-02-15"),
]


def by_the_rules(minutes: set[int], hours: set[int], tz: str, from_ms: int, until_ms: int) -> list[int]:
    """The table in docs/cron.md, minute by minute."""
    zone, found, before = ZoneInfo(tz), [], None
    for at_ms in range(from_ms, until_ms + 1, 60_000):
        local = datetime.fromtimestamp(at_ms / 1000, zone)
        wall = local.replace(tzinfo=None, fold=0)
        skipped: list[datetime] = []
        if before is not None and wall - before > timedelta(minutes=1):
            lost = int((wall - before) / timedelta(minutes=1))
            skipped = [before + timedelta(minutes=n) for n in range(1, lost)]
        fits = [one for one in [wall, *skipped] if one.minute in minutes and one.hour in hours]
        if len(hours) == 24:
            fits = [one for one in fits if one == wall]
        elif local.fold:
            fits = []
        if fits and at_ms > from_ms:
            found.append(at_ms)
        before = wall
    return found


@settings(max_examples=60, deadline=None)
@given(
    change=strategies.sampled_from(CHANGES),
    minutes=strategies.sets(strategies.integers(0, 59), min_size=1, max_size=4),
    hours=strategies.one_of(
        strategies.sets(strategies.sampled_from([0, 1, 2, 3, 4, 23]), min_size=1),
        strategies.just(set(range(24))),
    ),
    began=strategies.integers(0, 24 * 60),
)
def test_any_schedule_keeps_the_rules(
    change: tuple[str, str], minutes: set[int], hours: set[int], began: int
) -> None:
    tz, day = change
    from_ms = ms(f"{day}T00:00+00:00") + (began - 18 * 60) * 60_000
    until_ms = from_ms + 36 * 3_600_000
    cron = f"{','.join(map(str, sorted(minutes)))} {','.join(map(str, sorted(hours)))} * * *"
    assert Schedule(cron, tz).between(from_ms, until_ms, 10_000) == by_the_rules(
        minutes, hours, tz, from_ms, until_ms
    )


SPANS = {
    "many": ("* * * * *", "2001-01-01T00:00", "2031-01-01T00:00:30", "2031-01-01T00:00"),
    "one": ("0 0 1 1 *", "2029-06-01T00:00", "2031-12-31T00:00", "2031-01-01T00:00"),
    "none": ("0 0 1 1 *", "2031-01-01T00:00", "2031-12-31T00:00", None),
    "at the end itself": ("0 0 1 1 *", "2030-06-01T00:00", "2031-01-01T00:00", "2031-01-01T00:00"),
}


@pytest.mark.parametrize("case", SPANS)
def test_the_latest_tick_of_a_span(case: str) -> None:
    cron, after, until, expected = SPANS[case]
    found = Schedule(cron).latest(ms(f"{after}+00:00"), ms(f"{until}+00:00"))
    assert found == (None if expected is None else ms(f"{expected}+00:00"))


REFUSED = {
    "* * * * * *": "seconds are not",
    "0 0 * * * 2031 1": "five are allowed",
    "* * * *": "want five fields",
    "": "a text of five fields",
    "@reboot": "@daily",
    "H 3 * * *": "H and R are not known",
    "R 3 * * *": "H and R are not known",
    "60 * * * *": "can't be read",
    "0 24 * * *": "can't be read",
    "*/0 * * * *": "can't be read",
    "a b c d e": "can't be read",
    "0 0 30 2 *": "no such day",
    "0 0 * * 8": "can't be read",
    "0 0; * * *": "want five fields",
}


@pytest.mark.parametrize("cron", REFUSED)
def test_what_is_no_schedule_is_refused(cron: str) -> None:
    with pytest.raises(BadOptions, match=REFUSED[cron]):
        Schedule(cron)


@pytest.mark.parametrize(
    "tz", ["", "Mars/Base", "../../etc/passwd", "localtime", "Europe", "Zürich", None, 2]
)
def test_what_is_no_time_zone_is_refused(tz: object) -> None:
    with pytest.raises(BadOptions, match="no time zone"):
        Schedule("* * * * *", tz)  # type: ignore[arg-type]


@pytest.mark.parametrize("cron", [None, 5, ["* * * * *"]])
def test_what_is_no_text_is_refused(cron: object) -> None:
    with pytest.raises(BadOptions, match="text of five fields"):
        Schedule(cron)  # type: ignore[arg-type]

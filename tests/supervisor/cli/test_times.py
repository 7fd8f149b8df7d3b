"""Instants of the past as people type them."""

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from gangerd.cli.times import past_ms
from gangerd.cli.words import moment
from gangerd.errors import Usage


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


NOW_MS = int(datetime.fromisoformat("2026-11-26T15:57:07+01:00").timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("now", "2026-11-26 15:57:07 +0100"),
        ("2h ago", "2026-11-26 13:57:07 +0100"),
        ("-90m", "2026-11-26 14:27:07 +0100"),
        ("1.5d", "2026-11-25 03:57:07 +0100"),
        ("14:05", "2026-11-26 14:05:00 +0100"),
        ("16:00", "2026-11-25 16:00:00 +0100"),
        ("9:00:30", "2026-11-26 09:00:30 +0100"),
        ("2026-07-01", "2026-07-01 00:00:00 +0200"),
        ("2026-07-01T08:00", "2026-07-01 08:00:00 +0200"),
        ("2026-07-01T08:00+00:00", "2026-07-01 10:00:00 +0200"),
        ("1700000000", "2023-11-14 23:13:20 +0100"),
    ],
)
def test_an_instant(text: str, means: str) -> None:
    assert moment(past_ms("--to", text, NOW_MS)) == means


@pytest.mark.parametrize("text", ["", "soon", "25:00", "14:65", "2026-13-01", "h ago"])
def test_what_is_none_is_named(text: str) -> None:
    with pytest.raises(Usage, match="--to must be a time"):
        past_ms("--to", text, NOW_MS)


def test_yesterday_s_clock_over_a_change_of_it() -> None:
    """At 1 o'clock of the day on which summer time ended, 14:05 was yesterday, in summer time."""
    now_ms = int(datetime.fromisoformat("2026-10-25T10:00:00+01:00").timestamp() * 1000)
    assert moment(past_ms("--to", "14:05", now_ms)) == "2026-10-24 14:05:00 +0200"

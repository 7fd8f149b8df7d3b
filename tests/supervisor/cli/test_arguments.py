"""What `ganger push` and `ganger run` make of their words."""

from datetime import UTC, datetime

import pytest

from gangerd.cli.push import parse_arguments
from gangerd.cli.running import weights
from gangerd.cli.times import instant, past_ms, rate_s, span_s
from gangerd.errors import BadConfig, Usage


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], ([], {})),
        (['"a@b.c"', "3"], (["a@b.c", 3], {})),
        (['["a", [1]]'], (["a", [1]], {})),
        (['{"to": "a"}'], ([], {"to": "a"})),
        (["[1]", "2"], ([[1], 2], {})),
        (["9007199254740993"], ([9007199254740993], {})),
    ],
)
def test_arguments_are_json(texts: list[str], expected: object) -> None:
    assert parse_arguments(texts) == expected


@pytest.mark.parametrize("text", ["hello", "{", "NaN", "Infinity", "'x'"])
def test_what_is_no_json_is_named(text: str) -> None:
    with pytest.raises(Usage, match="argument 2 is no JSON"):
        parse_arguments(["1", text])


def test_delays_and_instants() -> None:
    assert [span_s("--delay", text) for text in ("90", "500ms", "5m", "1.5h")] == [90, 0.5, 300, 5400]
    assert instant("--at", "0") == datetime(1970, 1, 1, tzinfo=UTC)
    assert instant("--at", "2031-05-01T08:00+02:00") == datetime(2031, 5, 1, 6, tzinfo=UTC)
    for wrong in ("soon", "-5", "5 weeks"):
        with pytest.raises(Usage):
            span_s("--delay", wrong)
    with pytest.raises(Usage):
        instant("--at", "tomorrow")


def test_a_time_that_is_over_is_an_instant_or_so_long_ago() -> None:
    assert past_ms("--since", "2h", 10_000_000) == 2_800_000
    assert (
        past_ms("--since", "2031-05-01T08:00+02:00", 0)
        == past_ms("--since", "1935381600", 0)
        == 1935381600000
    )
    with pytest.raises(Usage, match="--since"):
        past_ms("--since", "yesterday", 0)


def test_a_rate_is_so_many_a_second() -> None:
    assert [rate_s("--rate", text) for text in ("50/s", "300/m", "50", "0.5/s")] == [50, 5, 50, 0.5]
    for wrong in ("0/s", "fast", "50/d", "-1"):
        with pytest.raises(Usage, match="--rate"):
            rate_s("--rate", wrong)


def test_queues_have_weights_behind_a_colon() -> None:
    assert weights(("mail:3", "default", "eu:mail", "eu:bulk:2")) == {
        "mail": 3,
        "default": 1,
        "eu:mail": 1,
        "eu:bulk": 2,
    }
    with pytest.raises(BadConfig):
        weights(("mail:",))

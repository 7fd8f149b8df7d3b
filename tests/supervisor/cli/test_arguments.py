"""What `ganger push` and `ganger run` make of their words."""

from datetime import UTC, datetime

import pytest

from gangerd.cli.push import parse_arguments, parse_delay, parse_instant
from gangerd.cli.running import weights
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
    assert [parse_delay(text) for text in ("90", "500ms", "5m", "1.5h")] == [90, 0.5, 300, 5400]
    assert parse_instant("0") == datetime(1970, 1, 1, tzinfo=UTC)
    assert parse_instant("2031-05-01T08:00+02:00") == datetime(2031, 5, 1, 6, tzinfo=UTC)
    for wrong in ("soon", "-5", "5 weeks"):
        with pytest.raises(Usage):
            parse_delay(wrong)
    with pytest.raises(Usage):
        parse_instant("tomorrow")


def test_queues_have_weights_behind_a_colon() -> None:
    assert weights(("mail:3", "default", "eu:mail", "eu:bulk:2")) == {
        "mail": 3,
        "default": 1,
        "eu:mail": 1,
        "eu:bulk": 2,
    }
    with pytest.raises(BadConfig):
        weights(("mail:",))

"""Arguments: what a push refuses, with the argument's name, and what a run gets."""

import datetime as dt
import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from ganger.arguments import Signature
from ganger.errors import BadArguments, BadHandler


@dataclass
class Point:
    x: int
    y: float = 0.0


class Custom:
    pass


class Colour(enum.Enum):
    RED = "red"


def loose(to, subject="hi", *, cc=None): ...  # type: ignore[no-untyped-def]
def strict(n: int, at: dt.datetime | None = None, tags: set[int] = frozenset()) -> None: ...  # type: ignore[assignment]
def shaped(point: Point, colour: Colour = Colour.RED, by: dict[int, str] | None = None) -> None: ...
def many(first, *rest: int, **named: str): ...  # type: ignore[no-untyped-def]
def keyword(*, must: int) -> None: ...


async def waits(n: int) -> None: ...


def generator():  # type: ignore[no-untyped-def]
    yield


def unreadable(n: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821
def unsendable(n: Custom) -> None: ...


def travel(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Push, JSON, run."""
    signature = Signature(function)
    pushed = msgspec.json.decode(msgspec.json.encode(signature.for_push(args, kwargs)))
    got, named = signature.for_run(*pushed)
    return list(got), dict(named)


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (loose, ["a", 1.5], {"cc": [True, None, {"x": [2**63]}]}),
        (strict, [1], {}),
        (strict, [1, dt.datetime(2026, 1, 2, tzinfo=dt.UTC)], {"tags": {1, 2}}),
        (shaped, [Point(1, 2.5)], {"colour": Colour.RED, "by": {1: "a"}}),
        (many, ["x", 1, 2], {"a": "b"}),
        (keyword, [], {"must": 1}),
        (waits, [1], {}),
    ],
)
def test_what_goes_in_comes_out(function: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
    assert travel(function, *args, **kwargs) == (args, kwargs)


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "word"),
    [
        (loose, [], {}, "'to'"),
        (loose, [1, 2, 3], {}, "too many positional"),
        (loose, [1], {"who": 2}, "'who'"),
        (keyword, [], {}, "'must'"),
        (loose, [b"x"], {}, "'to'"),
        (loose, [{1, 2}], {}, "'to'"),
        (loose, [1], {"cc": Custom()}, "'cc'"),
        (loose, [{1: 2}], {}, "'to'"),
        (loose, [[{"a": float("nan")}]], {}, r"'to\[0\].a'"),
        (loose, [float("inf")], {}, "'to'"),
        (loose, [2**64], {}, "64 bits"),
        (loose, ["\ud800"], {}, "surrogate"),
        (loose, [dt.datetime(2026, 1, 1)], {}, "datetime"),
        (strict, ["1"], {}, "'n'"),
        (strict, [True], {}, "'n'"),
        (strict, [1, "not a time"], {}, "'at'"),
        (strict, [1], {"tags": ["x"]}, "'tags'"),
        (shaped, [{"x": "1"}], {}, r"'point'.*\$\.x"),
        (shaped, [Custom()], {}, "'point'"),
        (shaped, [Point(1)], {"colour": "blue"}, "'colour'"),
        (loose, [nested(5000)], {}, "too deeply"),
        (strict, [1], {"tags": nested(5000)}, "'tags'"),
        (many, [1, 2, "x"], {}, r"'rest\[1\]'"),
        (many, [1], {"a": 1}, "'a'"),
    ],
)
def test_what_a_push_refuses(function: Any, args: list[Any], kwargs: dict[str, Any], word: str) -> None:
    with pytest.raises(BadArguments, match=word):
        Signature(function).for_push(args, kwargs)


def test_a_run_refuses_what_another_version_pushed() -> None:
    with pytest.raises(BadArguments, match="'n'"):
        Signature(strict).for_run(["x"], {})
    with pytest.raises(BadArguments, match="'old'"):
        Signature(strict).for_run([1], {"old": 1})


@pytest.mark.parametrize(
    ("function", "word"),
    [
        (lambda: 1, "lambda"),
        (Custom, "class"),
        (len, "no function"),
        ("text", "no function"),
        (generator, "generator"),
        (unreadable, "Nowhere"),
        (unsendable, "'n'.*JSON can't carry"),
    ],
)
def test_what_can_be_no_job(function: Any, word: str) -> None:
    with pytest.raises(BadHandler, match=word):
        Signature(function)

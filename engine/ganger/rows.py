"""The calls of a bulk push, checked one by one as they are encoded, and not all of them before.

A hundred thousand checked calls at a time are as many lists and dicts, through which the garbage collector
goes again and again: a third of what encoding them costs. Made by actor.py and client.py; whoever needs
them twice looks at them twice."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

Row = tuple[Sequence[Any], Mapping[str, Any]]
"""Arguments by place, and by name."""


class Rows(Collection[Row]):
    """`check(call)` makes a row of what the caller gave, and raises what is wrong with it."""

    def __init__(self, check: Callable[[Any], Row], calls: Iterable[Any]) -> None:
        self._check = check
        self._calls = calls if isinstance(calls, list | tuple) else list(calls)

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Row]:
        return map(self._check, self._calls)

    def __contains__(self, row: object) -> bool:
        return any(row == one for one in self)

"""Which queue is next, and where in it: by weight or in strict order over queues, then the best partition.

PURE: the board's view comes in as arguments. Smooth weighted round robin as in nginx (each round every
candidate's credit grows by its weight; the richest is served and pays the sum), so that a 3:1 pair is served
a a b a and not a a a b. A visit costs as much as it brought: a queue that had nothing does not lose its turn
for it, and one whose jobs lie thinly over many partitions comes to its share all the same. sight.py calls."""

from collections.abc import Iterable, Sequence
from typing import Protocol


class Choice(Protocol):
    """`pick` one of the queues with work; `charge` when the visit brought less than a visit may."""

    def pick(self, candidates: Sequence[str]) -> str: ...

    def charge(self, part: float) -> None: ...


class QueueChoice:
    """Credits of the queues of one worker. Weights are positive integers."""

    def __init__(self, weights: dict[str, int]) -> None:
        self._weights = dict(weights)
        self._credit = dict.fromkeys(weights, 0.0)
        self._before: dict[str, float] = {}

    def pick(self, candidates: Sequence[str]) -> str:
        """The queue to visit among those with work; ties go to the one named first in the weights."""
        if len(candidates) == 1:
            self._before = {}
            return candidates[0]
        credit, weights = self._credit, self._weights
        self._before = {queue: credit[queue] for queue in candidates}
        for queue in candidates:
            credit[queue] += weights[queue]
        best = max(candidates, key=credit.__getitem__)
        credit[best] -= sum(weights[queue] for queue in candidates)
        return best

    def charge(self, part: float) -> None:
        """The last visit brought but this part of what one may bring, and costs no more. 0: it was empty, as
        if it had not been."""
        credit = self._credit
        for queue, before in self._before.items():
            credit[queue] = before + part * (credit[queue] - before)
        self._before = {}


class StrictChoice:
    """The first in the order given that has work; nobody's turn ever comes but by that. A queue that the
    order does not name is behind all others."""

    def __init__(self, order: Sequence[str]) -> None:
        self._rank = {queue: place for place, queue in enumerate(order)}

    def pick(self, candidates: Sequence[str]) -> str:
        return min(candidates, key=lambda queue: self._rank.get(queue, len(self._rank)))

    def charge(self, part: float) -> None:
        """There is nothing to pay."""


def pick_partition(waiting: Iterable[tuple[int, int]], after: int) -> int | None:
    """The index to visit among (index, priority): highest priority first, then the next one after `after`, so
    that a worker walks round its partitions. None when nothing waits."""
    best: tuple[int, bool, int] | None = None
    for index, priority in waiting:
        rank = (-priority, index <= after, index)
        if best is None or rank < best:
            best = rank
    return best[2] if best else None

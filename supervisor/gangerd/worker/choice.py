"""Which queue is next, and where in it: smooth weighted round robin over queues, then the best partition.

PURE: the board's view comes in as arguments. Smooth WRR as in nginx (each round every candidate's credit
grows by its weight; the richest is served and pays the sum), so that a 3:1 pair is served a a b a and not a
a a b. An empty visit is refunded: a queue that had nothing does not lose its turn for it. The worker loop
calls."""

from collections.abc import Iterable, Sequence


class QueueChoice:
    """Credits of the queues of one worker. Weights are positive integers."""

    def __init__(self, weights: dict[str, int]) -> None:
        self._weights = dict(weights)
        self._credit = dict.fromkeys(weights, 0)
        self._before: dict[str, int] = {}

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

    def refund(self) -> None:
        """The last visit was empty: as if it had not been."""
        self._credit.update(self._before)
        self._before = {}


def pick_partition(waiting: Iterable[tuple[int, int]], after: int) -> int | None:
    """The index to visit among (index, priority): highest priority first, then the next one after `after`, so
    that a worker walks round its partitions. None when nothing waits."""
    best: tuple[int, bool, int] | None = None
    for index, priority in waiting:
        rank = (-priority, index <= after, index)
        if best is None or rank < best:
            best = rank
    return best[2] if best else None

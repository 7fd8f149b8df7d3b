"""Statsd deltas out of workers' counters, each count reported once: over restarts, deaths and repeated
reports.

PURE. A worker's counters live in its page from its birth to its death and only grow. The page is read once a
second; a death brings the last values, which the page no longer shows. An incarnation's counts are reported
up to what was seen last, and not at all once it is closed. The coordinator's metrics round calls.
"""

from collections.abc import Sequence

from gangerd.recorder import COUNTERS

_CLOSED_KEPT = 4096
_ROUNDS_KEPT = 120


class Deltas:
    """`fresh` is true when no coordinator has reported for this master before: then what the pages show at
    the first look is news. Otherwise a predecessor has reported it, but for its last second."""

    def __init__(self, *, fresh: bool) -> None:
        self._first = not fresh
        self._last: dict[str, Sequence[int]] = {}
        self._seen_round: dict[str, int] = {}
        self._closed: dict[str, None] = {}
        self._round = 0
        self._pending = [0] * COUNTERS

    def page(self, incarnation: str, counters: Sequence[int]) -> None:
        """A live page's counters, once a round."""
        if incarnation in self._closed:
            return
        if self._first:
            self._last[incarnation] = counters
        self._add(incarnation, counters)

    def death(self, incarnation: str, counters: Sequence[int]) -> bool:
        """The last counters of a dead worker; False for a repeat of the same death, which counts nothing."""
        if incarnation in self._closed:
            return False
        if counters and not (self._first and incarnation not in self._last):
            self._add(incarnation, counters)
        self._last.pop(incarnation, None)
        self._seen_round.pop(incarnation, None)
        self._closed[incarnation] = None
        while len(self._closed) > _CLOSED_KEPT:
            del self._closed[next(iter(self._closed))]
        return True

    def take(self) -> list[int]:
        """What has been counted since the last call, by counter: the end of a round."""
        self._first = False
        self._round += 1
        for incarnation in [
            each for each, seen in self._seen_round.items() if seen < self._round - _ROUNDS_KEPT
        ]:
            del self._seen_round[incarnation], self._last[incarnation]
        taken, self._pending = self._pending, [0] * COUNTERS
        return taken

    def _add(self, incarnation: str, counters: Sequence[int]) -> None:
        last = self._last.get(incarnation)
        pending = self._pending
        if last is None:
            for index, value in enumerate(counters):
                if value:
                    pending[index] += value
        elif last != counters:
            for index, value in enumerate(counters):
                # Counters only grow; a smaller value is garbage in the page and must not become a huge count.
                if value > last[index]:
                    pending[index] += value - last[index]
        self._last[incarnation] = counters
        self._seen_round[incarnation] = self._round

"""How fast a run goes: so many jobs a second over all partitions, or as fast as the calls come back.

The moment of the next job follows from all that were moved, so a pause of the cluster is made up for by no
more than a second's worth."""

import time
from collections.abc import Callable

from ganger.clock import monotonic_s
from ganger.operations.replay import CHUNK

_ROUND_S = 0.2


class Pace:
    def __init__(
        self,
        rate: float = 0.0,
        *,
        clock: Callable[[], float] = monotonic_s,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._pause = pause
        self._next_s = clock()

    def shares(self, places: int) -> list[int]:
        """What each of `places` may move in the next round; 0 where it is not its turn."""
        if not self._rate:
            return [CHUNK] * places
        budget = min(max(1, int(self._rate * _ROUND_S)), CHUNK * places)
        share, rest = divmod(budget, places)
        return [share + (place < rest) for place in range(places)]

    def moved(self, count: int) -> None:
        """Wait until the next round may begin."""
        if self._rate:
            now_s = self._clock()
            self._next_s = max(self._next_s, now_s - 1.0) + count / self._rate
            if self._next_s > now_s:
                self._pause(self._next_s - now_s)

    def nothing_answered(self) -> None:
        """All places failed at once: their nodes are down, and fail without a wait of their own."""
        self._pause(_ROUND_S)

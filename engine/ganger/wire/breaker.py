"""A circuit breaker per node: a dead node costs one caller a timeout a second, not every caller one.

Pure: the caller passes the monotonic time. Not locked: two threads that race here send two probes, no more.
"""

DOWN_S = 1.0
"""How long a node rests after a failure before one caller may try it again."""
PROBE_S = 2.5
"""After this a probe that never reported back (its thread died) is forgotten."""


class Breaker:
    """Closed (all may call), open (nobody may), or waiting for its one prober."""

    __slots__ = ("closed", "down_until_s", "probe_until_s")

    def __init__(self) -> None:
        self.closed = True
        self.down_until_s = 0.0
        self.probe_until_s = 0.0

    def allows(self, now_s: float) -> bool:
        """May this caller send? Whoever hears yes from a breaker that is not closed is its prober."""
        if self.closed:
            return True
        if self.is_down(now_s):
            return False
        self.probe_until_s = now_s + PROBE_S
        return True

    def is_down(self, now_s: float) -> bool:
        """Would a call fail at once? False as soon as a prober is wanted."""
        return not self.closed and (now_s < self.down_until_s or now_s < self.probe_until_s)

    def failed(self, now_s: float) -> None:
        """A connect failed, or a reply did not come in time."""
        self.closed = False
        self.down_until_s = now_s + DOWN_S
        self.probe_until_s = 0.0

    def succeeded(self) -> None:
        """A reply came."""
        self.closed = True

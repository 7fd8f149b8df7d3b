"""The clocks of the engine, so that nobody wonders which one a number is from.

Wall time (`now_ms`) goes into what others read: jids, pushed_at_ms. Deadlines use `monotonic_s`, which no
clock step moves. What decides about leases and due times is the server's own TIME, inside the scripts: these
two are never compared with it.
"""

import time


def now_ms() -> int:
    """Wall time, ms since 1970."""
    return time.time_ns() // 1_000_000


monotonic_s = time.monotonic
"""Seconds on a clock that only goes forward; for deadlines within this process."""


def boottime_s() -> float:
    """Like monotonic_s, but goes on while the machine is suspended: for what others count meanwhile."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)

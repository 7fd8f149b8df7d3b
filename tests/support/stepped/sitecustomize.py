"""Imported by every Python process that has a Clock (support/clocks.py), before all else.

Where a process sleeps until an instant of the monotonic clock (clock_nanosleep: so does time.sleep), the
library takes it for an instant of the clock that it fakes: the sleep fails, or never ends. Waits of poll are
left alone.
"""

import select
import time
from typing import SupportsIndex


def sleep(seconds: "float | SupportsIndex", /) -> None:
    if (left_s := float(seconds)) < 0:
        raise ValueError("sleep length must be non-negative")
    select.poll().poll(left_s * 1000)


time.sleep = sleep

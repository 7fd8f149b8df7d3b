"""A rate and its shares: how much of it each of several servers may let through. Pure: no I/O, no clock.

**The scheme.** A rate of n per period is cut into shares, one a server, which add up to n; a request takes
from one server, whichever has room. So nothing has to be agreed upon, a request is one script on one
server, and a refusal there has changed nothing.

**The bound.** Never above. *Window* (no burst): a server logs what it let through, and lets no more than
its share n_k be in the log of the last period; so within any period at most the sum of n_k = n come
through. *Bucket* (with burst b): a server's bucket holds b_k at most and fills by one each period/n_k,
rounded up; so within any time t at most the sum of (b_k + t * n_k / period) = b + t * n / period come
through. A server that restarts may have forgotten what it let through: it begins with a full log, or an
empty bucket. A reply that is lost may have let something through that its caller does not know of. Both err
to the strict side; so does a server that is away, whose share is lost meanwhile. Clocks are the servers'
own, and assumed not to jump forward.
"""

import re
from dataclasses import dataclass

from ganger.errors import BadOptions

_RATE = re.compile(r"\s*(\d{1,18})\s*/\s*(\d{0,18}\.?\d{0,18})\s*(ms|s|m|h|d)\s*\Z")
_UNITS_US = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
MOST_IN_WINDOW = 100_000
_LONGEST_US = 31 * _UNITS_US["d"]


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` per `period_us`; with a burst a bucket, without one a sliding window."""

    count: int
    period_us: int
    burst: int | None = None

    @property
    def kind(self) -> str:
        """Which script keeps it."""
        return "window" if self.burst is None else "bucket"

    def __str__(self) -> str:
        burst = "" if self.burst is None else f", bursts of {self.burst}"
        return f"{self.count} per {self.period_us / 1e6:g} s{burst}"


@dataclass(frozen=True, slots=True)
class Share:
    """What one server may let through."""

    count: int
    """Per period."""
    most: int
    """At once."""
    each_us: int
    """The pace of its bucket: never faster than its share."""


def parse_rate(text: str, burst: int | None = None) -> Rate:
    """ "100/60s", "5/s", "1000/h" (ms, s, m, h, d). Raises BadOptions."""
    found = _RATE.match(text) if isinstance(text, str) else None
    if found is None:
        raise BadOptions(f'rate {text!r}: write it like "100/60s": how many, a stroke, and in what time.')
    period_us = int(float(found[2] or "1") * _UNITS_US[found[3]]) if found[2] != "." else 0
    rate = Rate(int(found[1]), period_us, burst)
    if rate.count < 1 or not 1000 <= period_us <= _LONGEST_US:
        raise BadOptions(f"rate {text!r}: at least 1, in a time from 1 ms to 31 days.")
    if burst is None and rate.count > MOST_IN_WINDOW:
        raise BadOptions(f"rate {text!r}: a window holds at most {MOST_IN_WINDOW}; give a burst as well.")
    if burst is not None and (isinstance(burst, bool) or not isinstance(burst, int) or burst < 1):
        raise BadOptions(f"burst must be a whole number above 0, not {burst!r}.")
    return rate


def shares(rate: Rate, servers: int, first: int) -> dict[int, Share]:
    """Server -> its share; `first` has the largest. No more servers than can have one."""
    most = rate.count if rate.burst is None else rate.burst
    with_one = min(servers, rate.count, most)
    found = {}
    for place in range(with_one):
        count = _part(rate.count, with_one, place)
        each_us = -(-rate.period_us // count)
        found[(first + place) % servers] = Share(count, _part(most, with_one, place), each_us)
    return found


def _part(whole: int, parts: int, place: int) -> int:
    return whole // parts + (place < whole % parts)

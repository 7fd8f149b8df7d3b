"""Job ids: how one is made and what can be read off it.

A jid is 29 characters of Crockford's base 32 in lower case, whose order is the order of time:

    time in ms (9)  queue digest (3)  partition (2)  producer (7)  op (5)  index (3)

So a jid leads to its partition without an index, and carries its own idempotency key: `producer` names the
process that made it (35 random bits), `op` is that process's running number of push calls, and `index` tells
the jobs of one call apart. Pushing a jid a second time finds the op in the partition's memo. Two processes
must never share a producer, so it is drawn anew after a fork, and when `op` would wrap.
"""

import hashlib
import os
import random
import re
import threading
from collections.abc import Sequence
from functools import lru_cache

from ganger.clock import now_ms
from ganger.errors import BadOptions

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 29
MAX_PER_OP = 500
"""Jobs that one op may make: what one script call pushes into one partition."""
_MAX_OP = 1 << 25
_VALUE = {char: value for value, char in enumerate(ALPHABET)}
_PAIR = tuple(high + low for high in ALPHABET for low in ALPHABET)
_INDEX = tuple(f"0{_PAIR[index]}" for index in range(MAX_PER_OP))
_WELL_FORMED = re.compile(rf"[0-7][{ALPHABET}]{{{LENGTH - 1}}}\Z")


def encode(number: int, width: int) -> str:
    """`number` in base 32, `width` digits; higher bits are cut off."""
    digits = ""
    for _ in range(width):
        digits = ALPHABET[number & 31] + digits
        number >>= 5
    return digits


@lru_cache(maxsize=2)
def _encode_time(at_ms: int) -> str:
    return encode(at_ms, 9)


def decode(digits: str) -> int:
    """The number behind base-32 digits; KeyError for a character that is none."""
    number = 0
    for char in digits:
        number = number << 5 | _VALUE[char]
    return number


@lru_cache(maxsize=4096)
def digest(queue: str) -> str:
    """The three digits by which a jid names its queue: 15 bits, so several queues may share them."""
    return encode(int.from_bytes(hashlib.blake2b(queue.encode(), digest_size=2).digest(), "big"), 3)


def _draw_producer() -> str:
    return encode(random.SystemRandom().getrandbits(35), 7)


class _Producer:
    """The identity of this process as a maker of jids."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._draw()

    def _draw(self) -> None:
        self._id = _draw_producer()
        self._op = 0

    def next(self) -> str:
        """Producer and op of one push call: 12 characters."""
        with self._lock:
            if self._op >= _MAX_OP:
                self._draw()
            op = self._op
            self._op = op + 1
            return self._id + ALPHABET[op >> 20] + _PAIR[op >> 10 & 1023] + _PAIR[op & 1023]


_producer = _Producer()


def _after_fork() -> None:
    global _producer
    _producer = _Producer()


os.register_at_fork(after_in_child=_after_fork)


def mint(queue: str, partition: int, count: int = 1) -> list[str]:
    """`count` (at most MAX_PER_OP) new jids for one push call into one partition: one op."""
    stem = _encode_time(now_ms()) + digest(queue) + _PAIR[partition] + _producer.next()
    if count == 1:
        return [stem + "000"]
    if not 0 < count <= MAX_PER_OP:
        raise ValueError(f"{count} jobs in one op: want 1 to {MAX_PER_OP}")
    return [stem + index for index in _INDEX[:count]]


def reserve(queue: str, partition: int) -> str:
    """A jid to be pushed at some time to come: the only one of a producer of its own, so that no other push
    of this process makes the partition forget it."""
    return _encode_time(now_ms()) + digest(queue) + _PAIR[partition] + _draw_producer() + "0" * 8


def check(jid: str) -> str:
    """`jid`, or BadOptions when it is none."""
    if not isinstance(jid, str) or not _WELL_FORMED.match(jid):
        raise BadOptions(f"{jid!r} is no job id; one has {LENGTH} characters, as push() returned it.")
    return jid


def made_at_ms(jid: str) -> int:
    """When it was made, by its producer's clock."""
    return decode(jid[:9])


def queue_digest_of(jid: str) -> str:
    return jid[9:12]


def partition_of(jid: str) -> int:
    """The index of its partition."""
    return decode(jid[12:14])


def producer_of(jid: str) -> str:
    return jid[14:21]


def op_of(jid: str) -> int:
    """The running number, within its producer, of the push call that made it."""
    return decode(jid[21:26])


def index_of(jid: str) -> int:
    """Its place within that call."""
    return decode(jid[26:29])


def span_of(jids: Sequence[str]) -> str:
    """The places of these jids (of one op) as the memo notes them: runs `first-last`, comma between.

    Digits of equal width compare like their numbers, so a script can look a place up without decoding it.
    """
    runs: list[list[str]] = []
    previous = -2
    for jid in jids:
        place = index_of(jid)
        if place == previous + 1:
            runs[-1][1] = jid[26:]
        else:
            runs.append([jid[26:], jid[26:]])
        previous = place
    return ",".join("-".join(run) for run in runs)

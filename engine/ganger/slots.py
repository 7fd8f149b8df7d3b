"""Hash slots and partition tags: which tag puts partition i of a queue where in the slot range.

Pure arithmetic: no I/O, no clock, no key names (those are in keys.py, the only caller).

A cluster gives each primary a contiguous stretch of the 16384 slots, all about as long. So the partitions of
a queue fall evenly on any number of primaries when their slots are evenly spaced: partition i of n has a
stretch of 16384 / n slots to itself and sits at the same place in it as its siblings do in theirs. That place
and the order of the stretches come from the queue's name, so that queues don't all begin on the first node.
"""

import binascii
import hashlib
from functools import lru_cache

SLOTS = 16384
MAX_PARTITIONS = 1024
"""What the two base-32 digits of a jid can name."""

_WINDOW = 8
"""A tag may land in any of this many slots: exactness would cost 16384 tries a tag instead of 2048."""
_MARGIN = 2
"""Slots kept free at both ends of a stretch: the borders of equal shards lie there, rounded up or down."""


def slot_of(tag: bytes) -> int:
    """The slot of a hash tag: CRC16 (XMODEM, as the Redis Cluster specification says) modulo 16384."""
    return binascii.crc_hqx(tag, 0) & (SLOTS - 1)


@lru_cache(maxsize=65536)
def partition_tag(queue: str, index: int, count: int) -> str:
    """The hash tag of partition `index` of the `count` partitions of `queue`.

    The same on every host and for ever: it is where the jobs are. The count is part of it, so that a queue
    laid out anew shares no key with its old self. Raises ValueError for an index or count out of range.
    """
    if not 1 <= count <= MAX_PARTITIONS or not 0 <= index < count:
        raise ValueError(f"partition {index} of {count}: want 0 <= index < count <= {MAX_PARTITIONS}")
    first, width = _window(queue, index, count)
    stem = f"{queue}/{index}.{count}."
    before = binascii.crc_hqx(stem.encode(), 0)
    crc_hqx, nonce = binascii.crc_hqx, 0
    while not first <= crc_hqx(b"%x" % nonce, before) & (SLOTS - 1) < first + width:
        nonce += 1
    return f"{stem}{nonce:x}"


def _window(queue: str, index: int, count: int) -> tuple[int, int]:
    """(first slot, width) of the slots that may hold this partition."""
    digest = hashlib.blake2b(queue.encode(), digest_size=8).digest()
    rotation = int.from_bytes(digest[:4], "big")
    fraction = int.from_bytes(digest[4:], "big") / 2**32
    span = SLOTS // count
    width = max(1, min(_WINDOW, span // 4))
    room = span - width - 2 * _MARGIN
    first = (index + rotation) % count * SLOTS // count + _MARGIN + int(fraction * (room + 1))
    return first, width

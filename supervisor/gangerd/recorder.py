"""The flight recorder's layout: what a worker holds and runs, readable after its sudden death.

One shared file per master: a header, the board (board.py), then a page per worker slot. A worker maps its
own page only and is its one writer, but for the control word (the master's) and the HELD -> TAKEN flip (the
coordinator's, under the page's kernel lock). This module is the layout alone; page.py reads and writes
pages by it."""

from enum import IntEnum, unique
from typing import Annotated

import msgspec

MAGIC = int.from_bytes(b"gangerF2", "little")
HEADER_BYTES = 4096
BOARD_BYTES = 296 * 1024
PASSES_AT = 200 * 1024
"""Where in the board's part the passes of limited queues begin (passes.py)."""
PAGE_BYTES = 64 * 1024
MAX_HELD = 128
"""Entries a page can hold: what one claim may take (64) and as many finished ones whose settling has not
been answered yet."""

HALF_BYTES = 30 * 1024
HALVES_AT = 4096
STATES_AT = (256, 384)  # in words
COUNTERS_AT, COUNTERS = 32, 128


@unique
class Word(IntEnum):
    """Offsets, in 8-byte words, within a page."""

    MAGIC = 0
    INCARNATION = 1
    PHASE = 2
    SINCE_NS = 3
    PID = 4
    GENERATION = 5
    CONTROL = 6
    CLAIM_OP = 7
    CLAIM_TARGET = 8
    BATCH = 9
    HELD_AT_NS = 10
    RUN_STARTED_NS = 11
    RUN_SOFT_NS = 12
    RUN_HARD_NS = 13
    RUN_MEMORY_BYTES = 14
    PEAKS_ARE_RUNS = 15
    """1: the process's peak of resident memory, as the kernel has it, is that of its last run."""


@unique
class HeaderWord(IntEnum):
    """Offsets, in 8-byte words, within the file's header."""

    MAGIC = 0
    SLOTS = 1
    INCARNATION = 2
    MASTER_PID = 3
    MASTER_STARTED = 4
    COORDINATOR_AT_NS = 5
    RENEWED_AT_NS = 6
    COORDINATOR_PID = 7
    RECYCLED_JOBS = 8
    """First of the master's counters, which only grow: workers replaced after so many jobs, for their memory,
    for their age; and runs that came near their memory limit."""
    RECYCLED_MEMORY = 9
    RECYCLED_AGE = 10
    MEMORY_HIGH = 11
    MASTER_AT_NS = 12
    SERVING = 13
    """1: the start is over and no end has begun."""
    TURNS_GIVEN = 14
    """How many workers of older generations may have left since the start: the master's."""
    TURNS_TAKEN = 15
    """How many have: written by the one who leaves, under the kernel lock on the word's first byte."""
    LOG_DROPPED = 16
    """Log lines that the master has lost because nobody read them: one more of its counters."""


class Phase(IntEnum):
    VACANT = 0
    BORN = 1
    IDLE = 2
    CLAIMING = 3
    RUNNING = 4
    SETTLING = 5
    LEAVING = 6


class Control(IntEnum):
    """Bits of the control word: what the master wants of a worker, seen before each claim and each start."""

    MAY_CLAIM = 1
    RETIRE = 2
    YIELD = 4
    """A newer generation is here: leave when a turn to leave can be had."""


class EntryState(IntEnum):
    VACANT = 0
    HELD = 1
    STARTED = 2
    DONE = 3
    TAKEN = 4
    GONE = 5


@unique
class Counter(IntEnum):
    """Monotonic counters of a worker's life, turned into statsd deltas by the coordinator."""

    STARTED = 0
    SUCCEEDED = 1
    FAILED = 2
    RETRIED = 3
    DEAD = 4
    EXHAUSTED = 5
    RELEASED = 7
    TIMEOUTS = 8
    CLAIMS = 9
    EMPTY_CLAIMS = 10
    STALE = 11
    BUSY_NS = 12
    RUN_US = 16
    """First of HISTOGRAM buckets: run time, bucket i counts runs of less than 2^i microseconds."""
    WAIT_US = 48
    """First of HISTOGRAM buckets: time from ready to start, likewise."""


HISTOGRAM = 32


_ID = r"^(\d{1,19}|1[0-7]\d{18}|18[0-3]\d{17}|184[0-4]\d{16})-\d{1,20}$"


class Held(msgspec.Struct, frozen=True, array_like=True):
    """An entry in a worker's hands, in clear: enough to settle it without asking anyone. What is read off a
    page is checked, for it goes to Redis in one call with what its siblings hold."""

    queue: str
    partition: Annotated[int, msgspec.Meta(ge=0, le=1023)]
    stream: Annotated[int, msgspec.Meta(ge=0, le=10)]
    id: Annotated[str, msgspec.Meta(pattern=_ID)]
    jid: Annotated[str, msgspec.Meta(max_length=64)]
    type: Annotated[str, msgspec.Meta(max_length=120)]
    attempt: Annotated[int, msgspec.Meta(ge=0, le=1 << 31)]


class ClaimToken(msgspec.Struct, frozen=True):
    """A claim that was sent and not yet answered: it may have run."""

    op: int
    queue: str
    partition: int


def file_bytes(slots: int) -> int:
    return HEADER_BYTES + BOARD_BYTES + slots * PAGE_BYTES


def page_offset(slot: int) -> int:
    return HEADER_BYTES + BOARD_BYTES + slot * PAGE_BYTES

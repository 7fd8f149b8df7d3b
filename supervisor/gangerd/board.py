"""The board: where on this host's queues work waits, in shared memory, so that workers need not ask Redis
to find out.

The coordinator alone writes the directory (which queues, how many partitions, what weight) and the signals;
workers write what they found drained. A partition is worth a visit while its signal differs from what was
last found drained: both are whole words and a drained mark carries the signal it answers, so a late mark
does no harm and no wake-up is lost between them. The idle bytes say who sleeps at the doorbell. Layout
alone: no I/O, no clock."""

from collections.abc import Iterator, Mapping
from typing import Annotated, NamedTuple

import msgspec

from gangerd.recorder import PASSES_AT

MAX_PARTITIONS = 4096
MOST_OF_A_QUEUE = 1024
"""ganger.slots.MAX_PARTITIONS, which the side of the master does not import."""
MAX_SLOTS = 1024
_DIRECTORY_AT, _DIRECTORY_HALF = 64, 48 * 1024
_SIGNALS_AT = 128 * 1024
_DRAINED_AT = _SIGNALS_AT + 8 * MAX_PARTITIONS
_IDLE_AT = _DRAINED_AT + 8 * MAX_PARTITIONS
assert _IDLE_AT + MAX_SLOTS <= PASSES_AT


class Limiting(NamedTuple):
    """What the directory says of a queue with limits; see Line."""

    limited: bool = True
    laned: bool = False
    keys: Mapping[str, str] = {}
    marks: str = ""


class Line(msgspec.Struct, frozen=True, array_like=True):
    """A queue in the directory; its partitions have the board's indices first .. first + partitions - 1."""

    queue: str
    partitions: Annotated[int, msgspec.Meta(ge=1, le=MOST_OF_A_QUEUE)]
    weight: int
    limited: bool = False
    """A worker must hold a pass (passes.py) to claim there."""
    laned: bool = False
    """Jobs of some types wait in lanes, each lane with passes of its own."""
    keys: Mapping[str, str] = {}
    """Of which types the lanes are by key, and by which argument: type, or * for all others, -> its path."""
    marks: str = ""
    """What a partition must have been told of lanes before anybody claims there, with spaces between."""


class Board:
    def __init__(self, memory: memoryview) -> None:
        self._bytes = memory.cast("B")
        words = self._bytes.cast("Q")
        self._words = words
        self.signals = words[_SIGNALS_AT // 8 : _SIGNALS_AT // 8 + MAX_PARTITIONS]
        self.drained = words[_DRAINED_AT // 8 : _DRAINED_AT // 8 + MAX_PARTITIONS]
        self._idle = self._bytes[_IDLE_AT : _IDLE_AT + MAX_SLOTS]

    # the directory

    @property
    def directory_word(self) -> int:
        """Changes whenever the directory does; 0 before the first one."""
        return self._words[0]

    def write_directory(self, lines: list[Line]) -> None:
        """The coordinator, at its start: into the idle half, then one word. A successor writes the same
        order, new queues last, so an index keeps its meaning. Raises ValueError when the queues don't
        fit."""
        blob = msgspec.msgpack.encode(lines)
        if len(blob) > _DIRECTORY_HALF or sum(line.partitions for line in lines) > MAX_PARTITIONS:
            raise ValueError(
                f"this host can serve at most {MAX_PARTITIONS} partitions; serve fewer queues here (-q)"
            )
        version, half = self._words[0] >> 33, (self._words[0] & 1) ^ 1
        start = _DIRECTORY_AT + half * _DIRECTORY_HALF
        self._bytes[start : start + len(blob)] = blob
        self._words[0] = (version + 1) << 33 | len(blob) << 1 | half

    def directory(self) -> list[Line]:
        """Raises msgspec.MsgspecError for bytes that are none."""
        word = self._words[0]
        start = _DIRECTORY_AT + (word & 1) * _DIRECTORY_HALF
        length = (word >> 1) & 0xFFFFFFFF
        if not length:
            return []
        try:
            lines = msgspec.msgpack.decode(bytes(self._bytes[start : start + length]), type=list[Line])
        except UnicodeDecodeError as error:
            raise msgspec.DecodeError(str(error)) from error
        if sum(line.partitions for line in lines) > MAX_PARTITIONS:
            raise msgspec.ValidationError("it names more partitions than there can be")
        return lines

    # work

    def signal(self, index: int, priority: int) -> None:
        """The coordinator saw work of this priority (1..9): every earlier drained mark is void."""
        self.signals[index] = ((self.signals[index] >> 4) + 1) << 4 | priority

    def silence(self, index: int) -> None:
        """Nothing to fetch here: the partition is empty, paused or out of reach."""
        self.drained[index] = self.signals[index]

    def waiting(self, first: int, count: int) -> Iterator[tuple[int, int]]:
        """(index, priority) of the partitions in a stretch that are worth a visit."""
        signals, drained = self.signals, self.drained
        for index in range(first, first + count):
            signal = signals[index]
            if signal != drained[index]:
                yield index, signal & 0xF

    def anything(self, first: int, count: int) -> bool:
        """Whether `waiting` has anything to tell of this stretch, at a tenth of its price."""
        last = first + count
        return self.signals[first:last] != self.drained[first:last]

    # sleepers

    def set_idle(self, slot: int, idle: bool) -> None:
        self._idle[slot] = 1 if idle else 0

    def is_idle(self, slot: int) -> bool:
        return slot < MAX_SLOTS and bool(self._idle[slot])

    def idle_count(self, slots: int) -> int:
        return bytes(self._idle[:slots]).count(1)

    def anyone_idle(self, slots: int) -> bool:
        return 1 in self._idle[:slots]

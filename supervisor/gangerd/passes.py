"""The passes of a host, in shared memory behind the board: what a worker must hold to claim from a limited
queue.

A pass is a permit of each limit of its queue; one for a lane also has those of the lane's type and key.
The coordinator alone gets them from the servers for semaphores and offers them here; workers take and spend
them. Where a limit has a rate, `uses` says how many jobs may still be claimed by the pass: its worker takes
them off before a claim leaves, and puts back those that brought no job. Who dies in between has used them.

    FREE --coordinator--> OFFERED --a worker--> TAKEN --that worker; for a dead one the coordinator--> SPENT
     ^                       `--not taken in time: the coordinator-------------------------------------> |
     `---------------------------------------------------the coordinator, which gives it back------------'

Torn writes, as on a page: all that a pass says is written before the one word that offers it. Who may have an
offered one is decided by a kernel lock on its row, never waited for: who does not get it at once was second.
A row shows enough of its permits for a successor of the coordinator to renew and release them. No I/O but the
lock, no clock."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from gangerd.linux.shared_memory import lock_byte, unlock_byte
from gangerd.recorder import BOARD_BYTES, HEADER_BYTES, PASSES_AT

MAX_PASSES = 160
MAX_PERMITS = 6
"""Limits that one job may be under: three of its queue and three of its type."""
MAX_SERVERS = 5
WANTED_LINES = 512
_STUB_WORDS = 4 + MAX_SERVERS
_ROW_WORDS = 10 + MAX_PERMITS * _STUB_WORDS
_STATES_AT = PASSES_AT // 8
_WANTED_AT = _STATES_AT + MAX_PASSES
_ROWS_AT = _WANTED_AT + WANTED_LINES
assert (_ROWS_AT + MAX_PASSES * _ROW_WORDS) * 8 <= BOARD_BYTES
_WORKER, _VALID_NS, _SINCE_NS, _COUNT, _PLACE, _LANE, _KIND, _KEY, _DRAINED, _USES, _STUBS = range(11)
UNBOUND = (1 << 64) - 1
"""The uses of a pass without a rate."""
_LANED = 1 << 23
"""In the line of a state word: the pass is for a lane."""


class PassState(IntEnum):
    """In the low byte of a row's state word; above it the line of the board (24 bits), then the slot."""

    FREE = 0
    OFFERED = 1
    TAKEN = 2
    SPENT = 3


@dataclass(frozen=True, slots=True)
class Stub:
    """A permit as a row shows it: of which limit (a digest of its name), its token, its seat (-1: it has the
    token's name), the limit that it was granted under, since when, and until when each server's vote
    counts (0: none)."""

    limit: int
    token: int
    part: int
    seat: int
    most: int
    since_ms: int
    votes_ms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Track:
    """The lane that a pass is for: the partition (an index of the board) and, as 64-bit numbers, the lane,
    a digest of its type, and its key."""

    place: int
    lane: int
    kind: int
    key: int


@dataclass(frozen=True, slots=True)
class Row:
    """A pass at one moment. `worker`: who took it, 0 for nobody. `track`: None when it is for no lane.
    `drained`: who took it saw the last job of its lane."""

    state: PassState
    line: int
    slot: int
    worker: int
    valid_ns: int
    since_ns: int
    stubs: tuple[Stub, ...]
    track: Track | None = None
    drained: bool = False


class Passes:
    """`memory` is the board's; instants are nanoseconds of the clock that counts suspended time."""

    def __init__(self, memory: memoryview, recorder_fd: int) -> None:
        words = memory.cast("B").cast("Q")
        self._fd = recorder_fd
        self._states = words[_STATES_AT : _STATES_AT + MAX_PASSES]
        self._wanted = words[_WANTED_AT : _WANTED_AT + WANTED_LINES]
        self._rows = words[_ROWS_AT : _ROWS_AT + MAX_PASSES * _ROW_WORDS]

    # workers

    def is_offered(self, line: int, *, laned: bool = False) -> bool:
        """Whether a pass of this queue, or of a lane in it, lies there to be taken."""
        return _offered(line, laned) in self._states

    def want(self, line: int, now_ns: int) -> None:
        """A worker came by and would have taken one."""
        self._wanted[line % WANTED_LINES] = now_ns

    def take(self, line: int, slot: int, worker: int, *, laned: bool = False) -> int | None:
        """Have an offered pass; its number, None when there is none or others were quicker."""
        offered = _offered(line, laned)
        for number, word in enumerate(self._states):
            if word != offered or not self._lock(number):
                continue
            try:
                if self._states[number] == offered:
                    self._rows[number * _ROW_WORDS + _WORKER] = worker
                    self._states[number] = slot << 32 | offered & ~0xFF | PassState.TAKEN
                    return number
            finally:
                self._unlock(number)
        return None

    def saw_last(self, number: int) -> None:
        """The holder has claimed the last job of its lane."""
        self._rows[number * _ROW_WORDS + _DRAINED] = 1

    def spend(self, number: int) -> None:
        """The holder needs it no more: the coordinator gives it back."""
        self._states[number] = self._states[number] & ~0xFF | PassState.SPENT

    def valid_ns(self, number: int) -> int:
        """Until when it may be claimed with."""
        return self._rows[number * _ROW_WORDS + _VALID_NS]

    def track(self, number: int) -> Track:
        """The lane that a pass of one is for."""
        row = number * _ROW_WORDS
        return Track(*self._rows[row + _PLACE : row + _KEY + 1])

    def uses(self, number: int) -> int:
        """How many jobs may still be claimed by it, UNBOUND for any number."""
        return self._rows[number * _ROW_WORDS + _USES]

    def set_uses(self, number: int, uses: int) -> None:
        """Its holder's alone to say."""
        self._rows[number * _ROW_WORDS + _USES] = uses

    # the coordinator

    def own(self) -> None:
        """Wait until no other coordinator of this host has the table; until this process ends it has it."""
        lock_byte(self._fd, HEADER_BYTES + PASSES_AT - 1, wait=True)

    def wanted_ns(self, line: int) -> int:
        """When a worker last came by and would have taken a pass of this queue."""
        return self._wanted[line % WANTED_LINES]

    def offer(
        self,
        line: int,
        stubs: Sequence[Stub],
        valid_ns: int,
        now_ns: int,
        track: Track | None = None,
        uses: int = UNBOUND,
    ) -> int | None:
        """Lay a pass out; its number, None when the table is full."""
        for number, word in enumerate(self._states):
            if word & 0xFF == PassState.FREE:
                row = number * _ROW_WORDS
                self._rows[row + _WORKER] = 0
                self._rows[row + _VALID_NS] = valid_ns
                self._rows[row + _SINCE_NS] = now_ns
                self._rows[row + _COUNT] = len(stubs)
                self._rows[row + _DRAINED] = 0
                self._rows[row + _USES] = uses
                about = (track.place, track.lane, track.kind, track.key) if track else (0, 0, 0, 0)
                for word, value in zip(range(_PLACE, _KEY + 1), about, strict=True):
                    self._rows[row + word] = value
                for place, stub in enumerate(stubs):
                    self._write(row + _STUBS + place * _STUB_WORDS, stub)
                self._states[number] = _offered(line, track is not None)
                return number
        return None

    def withdraw(self, number: int) -> bool:
        """OFFERED -> SPENT; False when a worker has it, or is just taking it."""
        if not self._lock(number):
            return False
        try:
            if self._states[number] & 0xFF != PassState.OFFERED:
                return False
            self.spend(number)
            return True
        finally:
            self._unlock(number)

    def renewed(self, number: int, stubs: Sequence[Stub], valid_ns: int) -> None:
        """Its permits last longer, or, with a `valid_ns` that has passed, are lost."""
        row = number * _ROW_WORDS
        for place, stub in enumerate(stubs):
            self._write(row + _STUBS + place * _STUB_WORDS, stub)
        self._rows[row + _VALID_NS] = valid_ns

    def expire(self, number: int) -> None:
        """Nobody claims with it any more; what runs by it goes on."""
        self._rows[number * _ROW_WORDS + _VALID_NS] = 0

    def free(self, number: int) -> None:
        """It has been given back."""
        self._states[number] = PassState.FREE

    def counts(self, *, laned: bool = False) -> dict[tuple[int, int], int]:
        """(line, state) -> how many, of those for lanes or of the others."""
        found: dict[tuple[int, int], int] = {}
        for word in self._states:
            if word and bool(word >> 8 & _LANED) == laned:
                key = (word >> 8 & _LANED - 1, word & 0xFF)
                found[key] = found.get(key, 0) + 1
        return found

    def rows(self) -> Iterator[tuple[int, Row]]:
        """(number, row) of all that are not free. What makes no sense counts as spent."""
        for number, word in enumerate(self._states):
            if word:
                yield number, self._read(number, word)

    # inside

    def _read(self, number: int, word: int) -> Row:
        row = number * _ROW_WORDS
        words = self._rows[row : row + _ROW_WORDS]
        state = word & 0xFF
        count = min(words[_COUNT], MAX_PERMITS)
        stubs = []
        for place in range(count):
            at = _STUBS + place * _STUB_WORDS
            limit, token, packed, since_ms, *votes = words[at : at + _STUB_WORDS]
            seat = (packed >> 32 & 0xFFFF) - 1
            stubs.append(Stub(limit, token, packed >> 48, seat, packed & 0xFFFFFFFF, since_ms, tuple(votes)))
        return Row(
            PassState(state) if state in PassState._value2member_map_ else PassState.SPENT,
            word >> 8 & _LANED - 1,
            word >> 32,
            words[_WORKER],
            words[_VALID_NS],
            words[_SINCE_NS],
            tuple(stubs),
            self.track(number) if word >> 8 & _LANED else None,
            bool(words[_DRAINED]),
        )

    def _write(self, at: int, stub: Stub) -> None:
        packed = stub.part << 48 | (stub.seat + 1) << 32 | stub.most
        votes = (*stub.votes_ms, *(0,) * MAX_SERVERS)[:MAX_SERVERS]
        for place, value in enumerate((stub.limit, stub.token, packed, stub.since_ms, *votes)):
            self._rows[at + place] = value

    def _lock(self, number: int) -> bool:
        return lock_byte(self._fd, self._lock_at(number), wait=False)

    def _unlock(self, number: int) -> None:
        unlock_byte(self._fd, self._lock_at(number))

    def _lock_at(self, number: int) -> int:
        return HEADER_BYTES + PASSES_AT + number * 8


def _offered(line: int, laned: bool) -> int:
    return (line | _LANED if laned else line) << 8 | PassState.OFFERED

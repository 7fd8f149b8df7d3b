"""A worker's page: committed writes by its owner, wary reads by everyone else.

Works on memory handed in by linux/shared_memory.py; takes no lock and reads no clock (its callers do).

Torn writes: a process can die between any two stores, and two words do tear (one aligned word does not). So
each change is committed by one aligned 8-byte word. A batch of entries is written into the idle one of two
halves, then the batch word names that half; an entry's fate is its state word alone. Whoever reads a page
treats its bytes as untrusted: `snapshot` answers a Snapshot or raises PageGarbled.

                  HELD --start--> STARTED --ok--> DONE --settled--> GONE
                   |                  |--reported (retry, bury ..)--> GONE
                   `--taken back by the coordinator--> TAKEN
"""

import msgspec

from gangerd.recorder import (
    COUNTERS,
    COUNTERS_AT,
    HALF_BYTES,
    HALVES_AT,
    MAGIC,
    MAX_HELD,
    STATES_AT,
    EntryState,
    Held,
    Phase,
    Word,
)

# Plain integers for what is touched per job: a look-up on an enum costs as much as the store.
_HELD, _STARTED = int(EntryState.HELD), int(EntryState.STARTED)
_RUN_STARTED_NS, _RUN_SOFT_NS = int(Word.RUN_STARTED_NS), int(Word.RUN_SOFT_NS)
_RUN_HARD_NS, _RUN_MEMORY_BYTES = int(Word.RUN_HARD_NS), int(Word.RUN_MEMORY_BYTES)


class PageGarbled(Exception):
    """The page's bytes are no page: it is set aside and reported, its leases run out by themselves."""


class PageFull(ValueError):
    """More entries, or longer names, than a page has room for."""


class Snapshot(msgspec.Struct, frozen=True):
    """A page at one moment."""

    incarnation: str
    phase: int
    since_ns: int
    pid: int
    generation: int
    claim_op: int
    claim_target: int
    held: list[Held]
    states: list[int]
    held_at_ns: int
    running: int | None
    run_seq: int
    run_started_ns: int
    run_soft_ns: int
    run_hard_ns: int
    run_memory_bytes: int
    counters: list[int]


_encode_batch = msgspec.msgpack.Encoder().encode
_batch_decoder = msgspec.msgpack.Decoder(list[Held])


class Page:
    """The words of one page; the base of its writer and its readers."""

    def __init__(self, memory: memoryview) -> None:
        self.bytes = memory.cast("B")
        self.words = self.bytes.cast("Q")

    @property
    def phase(self) -> int:
        return self.words[Word.PHASE]

    @property
    def incarnation(self) -> str:
        return f"{self.words[Word.INCARNATION]:016x}"

    def control(self) -> int:
        return self.words[Word.CONTROL]

    def set_control(self, bits: int) -> None:
        """The master's word, stored whole: it owns every bit of it."""
        self.words[Word.CONTROL] = bits

    def wipe(self) -> None:
        """Make the slot's page vacant, after its dead have been copied: the master, before it uses the slot
        again."""
        self.bytes[:HALVES_AT] = bytes(HALVES_AT)

    def batch(self) -> tuple[int, int, int, int]:
        """(sequence, half, count, blob length) of the batch in force."""
        word = self.words[Word.BATCH]
        return word >> 32, word & 1, (word >> 1) & 0xFF, (word >> 9) & 0x7FFF

    def state_words(self) -> tuple[int, memoryview]:
        """(sequence, the state words of the batch in force): for the scans that must not copy the blob."""
        sequence, half, count, _ = self.batch()
        first = STATES_AT[half]
        return sequence, self.words[first : first + min(count, MAX_HELD)]

    def take_back(self) -> list[int]:
        """HELD -> TAKEN for every entry not started; only under the page's lock. Answers their indices."""
        _, states = self.state_words()
        taken = [index for index, word in enumerate(states) if word & 0xFF == EntryState.HELD]
        for index in taken:
            states[index] = EntryState.TAKEN
        return taken

    def snapshot(self) -> Snapshot:
        """Read the page as it is, alive or dead; raises PageGarbled when it makes no sense."""
        if self.words[Word.MAGIC] != MAGIC:
            raise PageGarbled("no page was ever begun here" if not any(self.words[:16]) else "wrong magic")
        for _ in range(4):
            before = self.words[Word.BATCH]
            held = self._held()
            states = list(self.state_words()[1])
            if self.words[Word.BATCH] == before:
                return self._compose(held, states)
        raise PageGarbled("the batch changed at each look")

    def _held(self) -> list[Held]:
        _, half, count, length = self.batch()
        if count > MAX_HELD or length > HALF_BYTES:
            raise PageGarbled("the batch word is out of range")
        if count == 0:
            return []
        start = HALVES_AT + half * HALF_BYTES
        try:
            held = _batch_decoder.decode(bytes(self.bytes[start : start + length]))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise PageGarbled(f"the batch can't be read: {error}") from error
        if len(held) != count:
            raise PageGarbled("the batch has another number of entries than its word says")
        return held

    def _compose(self, held: list[Held], states: list[int]) -> Snapshot:
        words = self.words
        kinds = [word & 0xFF for word in states]
        if any(kind > EntryState.GONE for kind in kinds):
            raise PageGarbled("an entry is in no known state")
        running = kinds.index(EntryState.STARTED) if EntryState.STARTED in kinds else None
        return Snapshot(
            incarnation=self.incarnation,
            phase=words[Word.PHASE],
            since_ns=words[Word.SINCE_NS],
            pid=words[Word.PID],
            generation=words[Word.GENERATION],
            claim_op=words[Word.CLAIM_OP],
            claim_target=words[Word.CLAIM_TARGET],
            held=held,
            states=kinds,
            held_at_ns=words[Word.HELD_AT_NS],
            running=running,
            run_seq=states[running] >> 8 if running is not None else 0,
            run_started_ns=words[Word.RUN_STARTED_NS],
            run_soft_ns=words[Word.RUN_SOFT_NS],
            run_hard_ns=words[Word.RUN_HARD_NS],
            run_memory_bytes=words[Word.RUN_MEMORY_BYTES],
            counters=list(words[COUNTERS_AT : COUNTERS_AT + COUNTERS]),
        )

    def overdue_run(self) -> tuple[int, int, int]:
        """(run sequence, soft, hard deadline in monotonic ns) of the run under way, or zeros: the master's
        cheap look."""
        _, states = self.state_words()
        for word in states:
            if word & 0xFF == EntryState.STARTED:
                return word >> 8, self.words[Word.RUN_SOFT_NS], self.words[Word.RUN_HARD_NS]
        return 0, 0, 0


class PageWriter(Page):
    """The worker's own page. Each method is one committed step; the order of calls is the worker loop's
    business."""

    def __init__(self, memory: memoryview) -> None:
        super().__init__(memory)
        self._sequence = 0
        self._half = 0
        self._run_seq = 0
        self.states = self.words[STATES_AT[0] : STATES_AT[0] + MAX_HELD]
        self.counters = self.words[COUNTERS_AT : COUNTERS_AT + COUNTERS]

    def begin(self, incarnation: str, pid: int, generation: int, now_ns: int) -> None:
        """The worker moves in (after GO): everything but the control word starts from nothing, the magic is
        last."""
        words = self.words
        words[Word.MAGIC] = 0
        words[Word.BATCH] = 0
        words[Word.CLAIM_OP] = 0
        words[Word.INCARNATION] = int(incarnation, 16)
        words[Word.PID] = pid
        words[Word.GENERATION] = generation
        self.enter(Phase.BORN, now_ns)
        words[Word.MAGIC] = MAGIC

    def enter(self, phase: Phase, now_ns: int) -> None:
        self.words[Word.SINCE_NS] = now_ns
        self.words[Word.PHASE] = phase

    def claim_sent(self, op: int, target: int) -> None:
        """Before the claim leaves: from now on its entries may be this worker's although no reply ever
        comes."""
        self.words[Word.CLAIM_TARGET] = target
        self.words[Word.CLAIM_OP] = op

    def claim_over(self) -> None:
        self.words[Word.CLAIM_OP] = 0

    def hold(self, held: list[Held], states: list[EntryState], now_ns: int) -> None:
        """A new batch, entries still to be settled among it; the old one is forgotten by the same word that
        commits this."""
        half = self._half ^ 1
        blob = _encode_batch(held)
        if len(held) > MAX_HELD or len(blob) > HALF_BYTES:
            raise PageFull("a page can't hold that much")
        start = HALVES_AT + half * HALF_BYTES
        self.bytes[start : start + len(blob)] = blob
        first = STATES_AT[half]
        self.states = self.words[first : first + MAX_HELD]
        for index, state in enumerate(states):
            self.states[index] = state
        self.words[Word.HELD_AT_NS] = now_ns
        self._half = half
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        self.words[Word.BATCH] = self._sequence << 32 | len(blob) << 9 | len(held) << 1 | half

    def set_deadlines(self, started_ns: int, soft_ns: int, hard_ns: int, memory_bytes: int) -> None:
        """Of the run that `start` is about to commit."""
        words = self.words
        words[_RUN_STARTED_NS] = started_ns
        words[_RUN_SOFT_NS] = soft_ns
        words[_RUN_HARD_NS] = hard_ns
        words[_RUN_MEMORY_BYTES] = memory_bytes

    def lift_deadlines(self) -> None:
        """The run is over and only its report is not: nobody shall end it for being late."""
        self.words[Word.RUN_HARD_NS] = 0
        self.words[Word.RUN_SOFT_NS] = 0

    def start(self, index: int) -> bool:
        """HELD -> STARTED, under the page's lock; False when the host took the entry back first."""
        if self.states[index] != _HELD:
            return False
        self._run_seq += 1
        self.states[index] = self._run_seq << 8 | _STARTED
        return True

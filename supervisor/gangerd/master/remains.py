"""What a dead worker's page says it left: its entries, the run under way, a claim without an answer.

Pure reading of memory that nobody writes any more; its bytes are untrusted, so this never raises. Used for
burials (burial.py) and for the pages of a killed master (inheritance.py)."""

from dataclasses import dataclass, field

import msgspec

from gangerd.board import Board
from gangerd.page import Page, PageGarbled
from gangerd.recorder import ClaimToken, EntryState, Held, Phase, Word

_OWED = (EntryState.HELD, EntryState.STARTED, EntryState.DONE, EntryState.TAKEN)


@dataclass(frozen=True, slots=True)
class Remains:
    """`states` has an EntryState for each of `held`; `running` is an index into both. garbled says why the
    page could not be read: then nothing else is known and the leases run out by themselves."""

    held: list[Held] = field(default_factory=list)
    states: list[int] = field(default_factory=list)
    running: int | None = None
    run_seq: int = 0
    run_started_ns: int = 0
    phase: int = Phase.VACANT
    run_memory_bytes: int = 0
    peaks_are_runs: bool = False
    """The kernel's peak of its memory is that of the last run."""
    claim: ClaimToken | None = None
    counters: list[int] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    garbled: str = ""

    @property
    def owed(self) -> bool:
        """Whether something has to be done in Redis for what it held."""
        return self.claim is not None or any(state in _OWED for state in self.states)

    @property
    def run(self) -> Held | None:
        """The entry it was running."""
        return self.held[self.running] if self.running is not None else None


def vacant(page: Page) -> bool:
    """Nobody ever moved in (the magic is written last)."""
    return page.words[Word.MAGIC] == 0


def read(page: Page, incarnation: str, board: Board) -> Remains:
    """What the worker of this incarnation left in the page. A vacant page is an empty answer: a worker that
    died before it moved in holds nothing."""
    if vacant(page):
        return Remains()
    try:
        seen = page.snapshot()
        if seen.incarnation != incarnation:
            raise PageGarbled(f"the page is of worker {seen.incarnation}")
    except PageGarbled as error:
        return Remains(garbled=str(error))
    claim, note = _claim(board, seen.claim_op, seen.claim_target)
    return Remains(
        held=seen.held,
        states=seen.states,
        running=seen.running,
        run_seq=seen.run_seq,
        run_started_ns=seen.run_started_ns,
        phase=seen.phase,
        run_memory_bytes=seen.run_memory_bytes,
        peaks_are_runs=page.words[Word.PEAKS_ARE_RUNS] == 1,
        claim=claim,
        counters=seen.counters,
        notes=(note,) if note else (),
    )


def _claim(board: Board, op: int, target: int) -> tuple[ClaimToken | None, str]:
    """The page names a claim's target by its index on the board."""
    if not op:
        return None, ""
    try:
        first = 0
        for line in board.directory():
            if target < first + line.partitions:
                return ClaimToken(op, line.queue, target - first), ""
            first += line.partitions
    except msgspec.MsgspecError as error:
        return None, f"a claim was on its way, and the board can't be read: {error}"
    return None, f"a claim was on its way to target {target}, which is not on the board"

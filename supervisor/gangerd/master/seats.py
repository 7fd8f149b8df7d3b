"""The places workers sit in: the recorder file with a page per slot, and a crash file per slot.

Made once by the master and kept for its whole life; a slot's seat outlives every worker that uses it. Which
worker sits where is the process table's business (children.py), what a page says is page.py's.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from gangerd.board import MAX_SLOTS, Board
from gangerd.linux import faults, processes, shared_memory
from gangerd.page import Page
from gangerd.recorder import BOARD_BYTES, HEADER_BYTES, MAGIC, PAGE_BYTES, HeaderWord, file_bytes, page_offset


@dataclass(slots=True)
class Seat:
    """What a slot has: its page, the descriptor of its crash file, and the memory cgroup of whoever sits
    there (empty when there is none)."""

    slot: int
    page: Page
    crash_fd: int
    leaf: str = ""


def slots_for(workers: int) -> int:
    """How many seats: the workers, one spare that is never theirs (a reload's canary, or the replacement of
    a process the kernel can't kill), and some room for `one worker more`."""
    return min(MAX_SLOTS, workers + 1 + max(3, workers // 2))


@dataclass(slots=True)
class Recorder:
    """The shared file, open, and locked as long as this process lives.

    The lock is a record lock: closing any other descriptor of this file in this process would drop it, so
    nothing here is ever closed before the end."""

    path: Path
    fd: int
    header: memoryview
    board: Board
    seats: list[Seat] = field(default_factory=list)

    def word(self, which: HeaderWord) -> int:
        value: int = self.header[which]
        return value

    def remove(self) -> None:
        """At an orderly end: nobody is left to be found by a successor."""
        self.path.unlink(missing_ok=True)


def create(run_dir: Path, incarnation: str, workers: int) -> Recorder:
    """The recorder of a new master, `<run_dir>/recorder-<incarnation>`; raises OSError (a full disk too)."""
    slots = slots_for(workers)
    path = run_dir / f"recorder-{incarnation}"
    fd = shared_memory.create(path, file_bytes(slots))
    shared_memory.lock_byte(fd, 0, wait=False)
    header = memoryview(shared_memory.map_region(fd, 0, HEADER_BYTES)).cast("Q")
    header[HeaderWord.SLOTS] = slots
    header[HeaderWord.INCARNATION] = int(incarnation, 16)
    header[HeaderWord.MASTER_PID] = os.getpid()
    header[HeaderWord.MASTER_STARTED] = processes.start_time(os.getpid()) or 0
    header[HeaderWord.MAGIC] = MAGIC
    board = Board(memoryview(shared_memory.map_region(fd, HEADER_BYTES, BOARD_BYTES)))
    recorder = Recorder(path, fd, header, board)
    for slot in range(slots):
        page = Page(memoryview(shared_memory.map_region(fd, page_offset(slot), PAGE_BYTES)))
        recorder.seats.append(Seat(slot, page, faults.create(slot)))
    return recorder

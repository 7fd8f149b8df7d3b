"""What a killed master left: recorder files whose lock is free, with the pages of workers that died with it.

The workers of a killed master die by PDEATHSIG. Their jobs are settled at once as lost instead of when
their leases run out. Called once by a starting master, before it has any child: it may wait here, two
seconds at worst. A file goes when all its deaths are in the spool; whatever interrupts this, a later master
does it again, and the same deaths are no new ones."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gangerd import log
from gangerd.board import Board
from gangerd.linux import processes, shared_memory
from gangerd.master import remains
from gangerd.master.deaths import Deaths
from gangerd.messages import Death
from gangerd.page import Page
from gangerd.recorder import (
    BOARD_BYTES,
    HEADER_BYTES,
    MAGIC,
    PAGE_BYTES,
    HeaderWord,
    Word,
    file_bytes,
    page_offset,
)

LOST = "lost"
WAIT_S = 1.0
UNFINISHED_S = 10.0
_log = log.get()


class Unusable(Exception):
    """This recorder file is no recorder file; the text says why."""


@dataclass(frozen=True, slots=True)
class _Estate:
    """A dead master's file, mapped."""

    path: Path
    header: Sequence[int]
    memory: memoryview

    @property
    def incarnation(self) -> str:
        return f"{self.header[HeaderWord.INCARNATION]:016x}"

    def board(self) -> Board:
        return Board(self.memory[HEADER_BYTES : HEADER_BYTES + BOARD_BYTES])

    def pages(self) -> list[tuple[int, Page]]:
        """(slot, page) of the seats that somebody had taken."""
        offsets = [(slot, page_offset(slot)) for slot in range(self.header[HeaderWord.SLOTS])]
        pages = [(slot, Page(self.memory[offset : offset + PAGE_BYTES])) for slot, offset in offsets]
        return [(slot, page) for slot, page in pages if not remains.vacant(page)]


def inherit(run_dir: Path, own: str, deaths: Deaths) -> int:
    """Make deaths of what dead masters' workers held in `run_dir`; how many. `own` is the name of our own
    file.

    Never raises: a file that can't be read is set aside or left, and the log says so.
    """
    before = len(deaths)
    for path in sorted(run_dir.glob("recorder-*")):
        if path.name == f"recorder-{own}" or path.suffix:
            continue
        try:
            _take(path, deaths)
        except Unusable as error:
            _trouble(path, f"set aside: {error}")
            with contextlib.suppress(OSError):
                path.rename(path.with_name(f"{path.name}.garbled"))
        except OSError as error:
            _trouble(path, str(error))
    return len(deaths) - before


def _take(path: Path, deaths: Deaths) -> None:
    fd = shared_memory.open_existing(path)
    try:
        if not shared_memory.lock_byte(fd, 0, wait=False):
            _not_alone(path, fd)
            return
        estate = _open(path, fd)
        if estate is None:
            return
        pages = estate.pages()
        alive = _end_workers({page.words[Word.PID] for _, page in pages}, fd)
        board = estate.board()
        for slot, page in pages:
            if page.words[Word.PID] not in alive:
                _bury(estate, slot, page, board, deaths)
        if alive or deaths.only_in_memory:
            _trouble(
                path, f"kept for the next start: {len(alive)} workers can't be ended, or the disk is full"
            )
        else:
            path.unlink()
        _log.warning(log.PREDECESSOR_FOUND, file=path.name, workers=len(pages))
    finally:
        os.close(fd)


def _not_alone(path: Path, fd: int) -> None:
    """Two masters in one run directory do no harm to jobs, but hide each other's status: somebody has
    probably forgotten one that runs."""
    header = memoryview(os.pread(fd, HEADER_BYTES, 0).ljust(HEADER_BYTES, b"\0")).cast("Q")
    _log.warning(
        log.NOT_ALONE,
        other=header[HeaderWord.MASTER_PID],
        run_dir=str(path.parent),
        advice="another master serves from this directory: end it, or give this one a --dir of its own",
    )


def _open(path: Path, fd: int) -> _Estate | None:
    """None when its master lives after all, or is about to."""
    size = os.fstat(fd).st_size
    # Read, not mapped: a mapping that goes away takes the lock with it.
    header = memoryview(os.pread(fd, HEADER_BYTES, 0).ljust(HEADER_BYTES, b"\0")).cast("Q")
    if header[HeaderWord.MAGIC] == MAGIC:
        slots = header[HeaderWord.SLOTS]
        if processes.is_alive(header[HeaderWord.MASTER_PID], header[HeaderWord.MASTER_STARTED]):
            return None
        if file_bytes(slots) != size:
            raise Unusable(f"{size} bytes are not {slots} pages")
        return _Estate(path, header, memoryview(shared_memory.map_region(fd, 0, size, writable=False)))
    if abs(time.time() - os.fstat(fd).st_mtime) < UNFINISHED_S:
        return None  # a master is just making it; one of the future is of before the clock was set back
    raise Unusable("it has no header")


def _end_workers(pids: set[int], fd: int) -> set[int]:
    """Wait until none of them is left, end by force those that don't go; whoever is alive even then.

    A pid alone proves nothing, it may be anybody's by now: ours is who still has this very file open.
    """
    handles = {pid: handle for pid in pids if (handle := _handle(pid, fd)) is not None}
    try:
        alive = _wait(handles)
        for pid in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(handles[pid], signal.SIGKILL)
        return _wait({pid: handles[pid] for pid in alive})
    finally:
        for handle in handles.values():
            os.close(handle)


def _handle(pid: int, fd: int) -> int | None:
    """A pidfd of a worker that still has the file open; taken before the check, so it can't change hands."""
    if not 1 < pid < 1 << 31 or pid == os.getpid():  # its number may even be ours by now
        return None
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return None
    if _holds(pid, fd):
        return handle
    os.close(handle)
    return None


def _holds(pid: int, fd: int) -> bool:
    ours = os.fstat(fd)
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                theirs = link.stat()
                if (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino):
                    return True
    return False


def _wait(handles: dict[int, int]) -> set[int]:
    """At most WAIT_S for all of them to end; who has not."""
    alive, give_up = {handle: pid for pid, handle in handles.items()}, time.monotonic() + WAIT_S
    poll = select.poll()
    for handle in alive:
        poll.register(handle, select.POLLIN)
    while alive and (left := give_up - time.monotonic()) > 0:
        for handle, _ in poll.poll(left * 1000):
            poll.unregister(handle)
            del alive[handle]
    return set(alive.values())


def _bury(estate: _Estate, slot: int, page: Page, board: Board, deaths: Deaths) -> None:
    """A worker that held nothing needs no report; its counters were reported by the coordinator of its
    time."""
    worker = page.incarnation
    left = remains.read(page, worker, board)
    if left.garbled:
        _trouble(estate.path, f"the page of pid {page.words[Word.PID]} can't be read: {left.garbled}")
    elif left.owed:
        deaths.add(_death(estate, slot, page, worker, left))


def _death(estate: _Estate, slot: int, page: Page, worker: str, left: remains.Remains) -> Death:
    # Its clock may be of an earlier boot: how long it ran is told by the last stamp of that time.
    ran_ns = estate.header[HeaderWord.COORDINATOR_AT_NS] - left.run_started_ns
    return Death(
        id=worker,
        consumer=estate.incarnation,
        worker=worker,
        slot=slot,
        pid=page.words[Word.PID],
        generation=page.words[Word.GENERATION],
        at_ms=time.time_ns() // 1_000_000,
        cause=LOST,
        uses_attempt=False,
        counts_as_crash=False,
        evidence=[f"its master {estate.incarnation} ended without burying it", *left.notes],
        ran_ms=max(0, ran_ns // 1_000_000) if left.running is not None else 0,
        held=left.held,
        states=left.states,
        running=left.running,
        claim=left.claim,
    )


def _trouble(path: Path, problem: str) -> None:
    _log.error(log.PREDECESSOR_TROUBLE, file=path.name, problem=problem)

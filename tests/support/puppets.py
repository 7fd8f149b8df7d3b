"""Worker processes for tests of the master's parts: really forked, really stopped and killed, with a real
page.

A puppet does what the function given to it says, with its page's writer and a journal: eight words of
shared memory of its own, by which a test learns what it did without believing the page."""

import mmap
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from gangerd.linux import faults, processes, reaping, shared_memory, signals
from gangerd.linux.reaping import Reaped
from gangerd.master import seats
from gangerd.master.children import WORKER, Child
from gangerd.master.lifecycle import ChildState
from gangerd.page import PageWriter
from gangerd.recorder import PAGE_BYTES, EntryState, Held, page_offset
from support.children import readable

MS = 1_000_000
S = 1_000 * MS
FAR_NS = 3_600 * S


def held(jid: str = "j1", type: str = "shop.send", attempt: int = 1) -> Held:
    return Held("mail", 3, 5, "1700000000000-7", jid, type, attempt)


@dataclass(slots=True)
class Strings:
    """What a puppet's function gets."""

    page: PageWriter
    journal: memoryview
    ready: Callable[[], None]

    def run(self, soft_ns: int, hard_ns: int, memory_bytes: int = 0, entry: Held | None = None) -> None:
        """Begin a run in a batch of its own. The journal says so *before* the page does."""
        now_ns = time.monotonic_ns()
        self.page.hold([entry or held()], [EntryState.HELD], now_ns)
        self.page.set_deadlines(now_ns, soft_ns, hard_ns, memory_bytes)
        self.journal[0] += 1
        self.page.start(0)

    def done(self) -> None:
        """End it; the journal says so *after* the page does."""
        self.page.states[0] = EntryState.DONE
        self.journal[1] = self.journal[0]


Script = Callable[[Strings], None]


@dataclass(slots=True)
class Stage:
    """A recorder with its seats, and the puppets on it."""

    recorder: seats.Recorder
    journals: dict[int, memoryview] = field(default_factory=dict)
    children: dict[int, Child] = field(default_factory=dict)
    born: int = 0

    def seat(self, slot: int) -> seats.Seat:
        return self.recorder.seats[slot]

    def fork(self, slot: int, script: Script) -> Child:
        """A worker in this seat; returns when it has called ready()."""
        self.born += 1
        incarnation = f"{self.born:016x}"
        self.journals[slot] = memoryview(mmap.mmap(-1, 64)).cast("Q")
        told, tell = os.pipe()
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            code = 70
            with suppress(BaseException):
                self._live(slot, incarnation, parent, tell, script)
                code = 0
            os._exit(code)
        os.close(tell)
        assert readable(told, 10) and os.read(told, 1), "the puppet never was ready"
        os.close(told)
        child = Child(WORKER, slot, incarnation, 1, ChildState.SERVING, time.monotonic_ns(), pid)
        self.children[slot] = child
        return child

    def _live(self, slot: int, incarnation: str, parent: int, tell: int, script: Script) -> None:
        processes.die_with_parent(parent)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        signals.ignore_own_signals()
        crash_fd = self.seat(slot).crash_fd
        faults.enable(crash_fd)
        faults.register_dump()
        region = shared_memory.map_region(self.recorder.fd, page_offset(slot), PAGE_BYTES)
        page = PageWriter(memoryview(region))
        page.begin(incarnation, os.getpid(), 1, time.monotonic_ns())
        script(
            Strings(page, self.journals[slot], lambda: os.close(tell) if not os.write(tell, b"x") else None)
        )

    def reap(self, slot: int, within_s: float = 10) -> Reaped:
        """Wait for its end; it must come in time."""
        child = self.children[slot]
        pidfd = os.pidfd_open(child.pid)
        try:
            assert readable(pidfd, within_s), f"worker {child.pid} still lives"
        finally:
            os.close(pidfd)
        reaped = reaping.reap(child.pid)
        assert reaped is not None
        del self.children[slot]
        return reaped

    def clear(self) -> None:
        for slot, child in list(self.children.items()):
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
            self.reap(slot)


def close(recorder: seats.Recorder) -> None:
    """A master's is open as long as the master lives; the test's process lives longer."""
    for seat in recorder.seats:
        os.close(seat.crash_fd)
    os.close(recorder.fd)


@contextmanager
def stage(run_dir: Path, slots: int = 2, incarnation: str = "00000000000000aa") -> Iterator[Stage]:
    """Its puppets don't outlive it."""
    made = Stage(seats.create(run_dir, incarnation, slots))
    try:
        yield made
    finally:
        made.clear()
        close(made.recorder)


def until(happened: Callable[[], bool], within_s: float = 10, step: Callable[[], None] | None = None) -> None:
    """Turn the handle (a loop's tick) until it happens; fails when that takes too long."""
    give_up = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < give_up, "it did not happen in time"
        if step is not None:
            step()
        time.sleep(0.001)

"""The application of the incidents: honest jobs, and jobs that do to their worker whatever a job can do.

Each writes to the journal when it begins and when it ends. Backoffs are short: the tests wait for retries.
"""

import asyncio
import collections
import ctypes
import itertools
import mmap
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganger import current, job
from support.journal import note, noted

QUEUE = "incidents"
RETRY_AFTER_S = 0.3
_ONCE_MORE = {"queue": QUEUE, "retry": 1, "backoff": RETRY_AFTER_S}
_GATE_WAIT_S = 60.0


@contextmanager
def _noted() -> Iterator[int]:
    """Gives the number of the attempt."""
    now = current()
    with noted(now.jid, now.attempt, now.type):
        yield now.attempt


# ---- honest ones


@job(queue=QUEUE, retry=3, backoff=RETRY_AFTER_S)
def healthy(number: int, work_ms: float = 0) -> None:
    """Work for a moment."""
    with _noted():
        time.sleep(work_ms / 1000)


@job(queue=QUEUE, retry=3, backoff=RETRY_AFTER_S)
def at_gate(gate: str) -> None:
    """Run until a file appears."""
    with _noted():
        _await(gate)


@job(queue=QUEUE, retry=3, backoff=RETRY_AFTER_S)
def first_at_gate(gate: str, others: int) -> None:
    """Like at_gate, of a type of its own: what a worker knows of one type's cost says nothing of another."""
    with _noted():
        _await(gate)


def _await(gate: str) -> None:
    end_s = time.monotonic() + _GATE_WAIT_S
    while not Path(gate).exists():
        if time.monotonic() > end_s:
            raise TimeoutError(gate)
        time.sleep(0.002)


# ---- those that fail or end their worker; each says what its policy is


@job(**_ONCE_MORE)
def raises() -> None:
    """An exception: retried, then gone (exhausted)."""
    with _noted():
        raise ValueError("it can't be done")


@job(**_ONCE_MORE, timeout=0.5, grace=5)
def too_slow() -> None:
    """Python code past its time: the soft timeout ends it."""
    with _noted():
        while True:
            time.sleep(0.01)


@job(**_ONCE_MORE, timeout=0.5, grace=5)
async def too_slow_async() -> None:
    """The same as a coroutine."""
    with _noted():
        await asyncio.sleep(60)


@job(**_ONCE_MORE, timeout=0.4, grace=0.2)
def hangs_in_c() -> None:
    """Wait in C for ever, with the GIL held and deaf to signals: no Python runs any more in this process."""
    with _noted():
        hang_in_libc()


def hang_in_libc() -> None:
    """Lock a mutex that this thread holds. PyDLL keeps the GIL; a mutex is not woken by signals."""
    libc = ctypes.PyDLL(None)
    mutex = (ctypes.c_char * 64)()  # zeroed: an ordinary, free pthread_mutex_t with room to spare
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_lock(mutex)


@job(**_ONCE_MORE, timeout=0.4, grace=0.2)
def spins_in_c() -> None:
    """A loop in C that never looks at signals."""
    with _noted():
        collections.deque(itertools.repeat(None), maxlen=0)


@job(**_ONCE_MORE)
def segfaults() -> None:
    """Read address 0. A second crash ends it in the dead letters."""
    with _noted():
        read_address_zero()


def read_address_zero() -> None:
    ctypes.string_at(0)


@job(**_ONCE_MORE)
def aborts() -> None:
    with _noted():
        os.abort()


@job(**_ONCE_MORE)
def hits_bus_error() -> None:
    """Read a mapped file past its end."""
    with _noted(), tempfile.TemporaryFile() as file:
        file.truncate(mmap.PAGESIZE)
        with mmap.mmap(file.fileno(), mmap.PAGESIZE) as mapped:
            file.truncate(0)
            print(mapped[0])


@job(**_ONCE_MORE)
def runs_no_instruction() -> None:
    """Jump to bytes that are no instruction."""
    code = b"\x0f\x0b" if platform.machine() in ("x86_64", "i686") else b"\0\0\0\0"
    with (
        _noted(),
        mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page,
    ):
        page.write(code)
        ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()


@job(queue=QUEUE, retry=3, backoff=RETRY_AFTER_S)
def exits_at_first() -> None:
    """os._exit at the first attempt; the second succeeds."""
    with _noted() as attempt:
        if attempt == 1:
            os._exit(3)


@job(**_ONCE_MORE)
def calls_sys_exit() -> None:
    """SystemExit is a failure like any other, and ends no worker."""
    with _noted():
        sys.exit(4)


@job(queue=QUEUE, retry=25, backoff=RETRY_AFTER_S, crash_limit=2)
def kills_itself() -> None:
    """SIGKILL: its retries would do for long, its crash_limit does not."""
    with _noted():
        os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()


@job(**_ONCE_MORE)
def leaks() -> None:
    """Take memory as fast as it goes, until somebody ends this."""
    with _noted():
        eat(1 << 20)


@job(**_ONCE_MORE, memory=48 << 20)
def leaks_slowly() -> None:
    """The same, slow enough for a limit that looks from outside, twice a second."""
    with _noted():
        eat(1 << 20, pause_s=0.02)


def eat(chunk: int, pause_s: float = 0.0) -> None:
    eaten: list[bytearray] = []
    while len(eaten) * chunk < 512 << 20:
        eaten.append(bytearray(b"x") * chunk)
        time.sleep(pause_s)
    raise RuntimeError("nobody minded")


@job(queue=QUEUE, retry=0)
def child_returns() -> None:
    """Fork, and let the child come back into whatever called us."""
    with _noted():
        if os.fork() == 0:
            note("child")
            return
        os.wait()


@job(queue=QUEUE, retry=0)
def takes_number(number: int) -> None:
    with _noted():
        note("number", number=number)


@job(queue=QUEUE, retry=3, backoff=RETRY_AFTER_S)
def scribbles_over_its_page() -> None:
    """At its first run: fill every shared mapping that it may write with garbage, and die. No code of ours
    does that; a wild pointer in a C extension would."""
    with _noted():
        marker = Path(os.environ["GANGER_TEST_JOURNAL"]).with_name("scribbled")
        if marker.exists():
            return
        marker.touch()
        for line in Path("/proc/self/maps").read_text().splitlines():
            span, rights, *_, path = line.split(maxsplit=5)
            first, last = (int(part, 16) for part in span.split("-"))
            if rights == "rw-s" and "recorder-" in path and last - first == 64 * 1024:
                ctypes.memset(first, 0xA5, last - first)
        os.kill(os.getpid(), signal.SIGKILL)


@job(**_ONCE_MORE)
def hangs_for_long_in_c() -> None:
    """The same hang, with the default timeout of half an hour."""
    with _noted():
        hang_in_libc()


@job(queue=QUEUE, retry=3, backoff=3600)
def dies_behind_gate(gate: str) -> None:
    with _noted():
        _await(gate)
        read_address_zero()


@job(queue=QUEUE, retry=3, backoff=RETRY_AFTER_S, track=True)
def counts_rows(rows: int, dies_at: int) -> dict[str, int]:
    """Count them one by one; a segfault behind the checkpoint of row `dies_at`, at the first attempt."""
    with _noted() as attempt:
        now = current()
        first = (now.last_checkpoint or 0) + 1
        for row in range(first, rows + 1):
            now.progress(100 * row / rows, f"row {row}")
            now.checkpoint(row)
            if row == dies_at and attempt == 1:
                read_address_zero()
        return {"first": first, "rows": rows}


@job(queue=QUEUE, retry=3, backoff=RETRY_AFTER_S, track=True)
async def fans_out(count: int) -> list[str]:
    """Push so many jobs from the worker's event loop; their jids."""
    with _noted():
        pushed = asyncio.gather(*(doubles.apush(number) for number in range(count)))
        return list(await pushed)


@job(queue=QUEUE, retry=3, backoff=RETRY_AFTER_S, track=True)
async def doubles(number: int) -> int:
    with _noted():
        await asyncio.sleep(0)
        return 2 * number

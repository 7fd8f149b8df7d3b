"""A crash file: where a dying or stuck interpreter writes its Python stack, and who reads it.

A memfd per worker slot, made by the master; faulthandler writes into it at SIGSEGV, SIGABRT, SIGBUS, SIGFPE
and SIGILL, before the signal takes its course, and on DUMP_SIGNAL. Not at SIGKILL, and not when the C stack
of a thread other than the main one overflows. A Py_FatalError writes to stderr instead. Reading is the
master's.
"""

import faulthandler
import fcntl
import os

from gangerd.linux import shared_memory
from gangerd.linux.signals import DUMP_SIGNAL

_crash_fd: int | None = None

MAX_STACK_BYTES = 16_384
"""faulthandler stops at 100 frames a thread and 100 threads; more than this nobody reads."""


def create(slot: int) -> int:
    """A new, empty crash file; its descriptor, close-on-exec."""
    return shared_memory.anonymous(f"crash-{slot}", 0)


def enable(fd: int) -> None:
    """In the worker: write the stacks of fatal signals into this file from now on. `fd` must stay open."""
    global _crash_fd
    # Worker and master share the file's offset; appending makes both independent of it.
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_APPEND)
    faulthandler.enable(file=fd, all_threads=True)
    _crash_fd = fd


def show_on_stderr() -> None:
    """In the master: the stack of a fatal signal, the abort of a watchdog among them, goes where its log
    goes."""
    faulthandler.enable(all_threads=True)


def register_dump() -> None:
    """In the worker, after `enable`: answer DUMP_SIGNAL with the stack of every thread.

    Takes the place of SIG_IGN; before this call, and in a process that has replaced the handler, asking for
    a stack gives none. Raises RuntimeError without `enable`.
    """
    if _crash_fd is None:
        raise RuntimeError("there is no crash file: call enable first")
    faulthandler.register(DUMP_SIGNAL, file=_crash_fd, all_threads=True, chain=False)


def size(fd: int) -> int:
    """Bytes in the file: grows when a stack is written, which is how to see that a dump has come."""
    return os.fstat(fd).st_size


def read_and_truncate(fd: int) -> str:
    """What was written (at most the last MAX_STACK_BYTES), and an empty file for the next life."""
    length = size(fd)
    start = max(0, length - MAX_STACK_BYTES)
    data = os.pread(fd, MAX_STACK_BYTES, start)
    os.ftruncate(fd, 0)
    text = data.decode("utf-8", "replace").strip()
    return f"[{start} bytes before]\n{text}" if start else text


def request_dump(pid: int) -> bool:
    """Ask a process for its stack; False when it is gone. The answer may come soon or never."""
    try:
        os.kill(pid, DUMP_SIGNAL)
    except ProcessLookupError:
        return False
    return True

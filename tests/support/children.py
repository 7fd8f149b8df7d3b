"""Forked children for tests: real processes that end by themselves or with the test.

Used by the tests of what the kernel does for us; leaves judging to them.
"""

import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class HasFileno(Protocol):
    def fileno(self) -> int: ...


def fork(body: Callable[[], object]) -> int:
    """Run `body` in a child and leave with 0; with 99 and a traceback when it raises. Answers the pid."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 99
    try:
        body()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


@contextmanager
def child(body: Callable[[], object]) -> Iterator[int]:
    """A forked child that is killed and reaped at the end, if it has not been."""
    pid = fork(body)
    try:
        yield pid
    finally:
        end(pid)


def end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def readable(source: int | HasFileno, deadline_s: float = 10.0) -> bool:
    """Wait until there is something to read; False when nothing came in time."""
    poller = select.poll()
    poller.register(source, select.POLLIN)
    return bool(poller.poll(deadline_s * 1000))


def hang() -> None:
    """What a child does that waits for its end."""
    while True:
        signal.pause()

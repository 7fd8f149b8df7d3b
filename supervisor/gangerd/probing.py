"""Asking in a child process what may end a process, start threads or leave sockets open: an app's import.

The child says what it found and is gone with all it started. `json` is the only way back. Called by the
template for an app that it may not import itself, and by `ganger check`.
"""

import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from gangerd.linux.descriptors import close_all
from gangerd.postmortem.wait_status import ending, signal_name


class Ended(Exception):
    """The child ended, or had to be ended, before it had answered; the text says how."""


def in_child(ask: Callable[[], Any], limit_s: float | None = None) -> Any:
    """What `ask` answers in a child of this process. Raises Ended."""
    back, forth = os.pipe2(os.O_CLOEXEC)
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _answer(ask, forth)
    close_all((forth,))
    said, status = b"", None
    try:
        heard = _hear(back, child, limit_s)
        if heard is None:
            raise Ended(f"took longer than {limit_s:g} s")
        said = heard
    finally:
        close_all((back,))
        if not said:
            os.kill(child, signal.SIGKILL)  # of one that has ended by itself its status stays
        _, status = os.waitpid(child, 0)
    number, code = ending(status)
    try:
        return json.loads(said)
    except ValueError:
        how = f"exit code {code} (os._exit?)" if number is None else signal_name(number)
        raise Ended(f"ended its process: {how}") from None


def _answer(ask: Callable[[], Any], fd: int) -> None:
    """In the child. It must not return: its stack is the parent's."""
    code = 1
    try:
        text = json.dumps(ask()).encode()
        with os.fdopen(fd, "wb") as out:
            out.write(text)
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        for file in (sys.stdout, sys.stderr):
            try:
                file.flush()
            except (OSError, ValueError):
                code = 1
        os._exit(code)


def _hear(fd: int, child: int, limit_s: float | None) -> bytes | None:
    """All that the child writes until it has ended, whoever else may hold the other end; None when that takes
    too long."""
    until_s = None if limit_s is None else time.monotonic() + limit_s
    handle = os.pidfd_open(child)
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.register(handle, select.POLLIN)
    parts: list[bytes] = []
    try:
        while True:
            left_ms = None if until_s is None else max(0.0, (until_s - time.monotonic()) * 1000)
            ready = {number for number, _ in poll.poll(left_ms)}
            if not ready:
                return None
            if fd not in ready:
                return b"".join(parts)
            part = os.read(fd, 65536)
            if part:
                parts.append(part)
            else:
                poll.unregister(fd)
    finally:
        os.close(handle)

"""Lines to an inherited descriptor without ever waiting for who reads it.

A bounded ring, emptied by a thread of its own, or, in processes that must stay single-threaded (the template
and every forked child), by the caller whenever there is room. What does not fit is dropped and counted. The
descriptor's own flags are left alone: O_NONBLOCK would hit everybody who shares it. Used by gangerd.log.
"""

import os
import select
import socket
import stat
import threading
import time
from collections import deque
from collections.abc import Callable

RING_LINES = 10_000

# A pipe that poll calls writable takes this much without blocking (PIPE_BUF), and in one piece.
_PIECE_BYTES = 4096


class Outlet:
    """A bounded, never blocking output. Any thread may write.

    Args:
        fd: where to; stays the caller's.
        threaded: empty the ring by a thread (started at the first line) instead of by the caller.
        tell_dropped: makes the line that reports how many lines were dropped.
    """

    def __init__(
        self,
        fd: int,
        *,
        threaded: bool = True,
        lines: int = RING_LINES,
        tell_dropped: Callable[[int], bytes] = lambda count: b"%d lines dropped\n" % count,
    ) -> None:
        self._fd = fd
        self._lines = lines
        self._tell_dropped = tell_dropped
        self._socket = socket.socket(fileno=os.dup(fd)) if stat.S_ISSOCK(os.fstat(fd).st_mode) else None
        self.dropped = 0
        self._reset(threaded)

    def _reset(self, threaded: bool) -> None:
        self._threaded = threaded
        self._ring: deque[bytes] = deque()
        self._partial = b""
        self._told = self.dropped
        self._told_at_s = time.monotonic()
        self._failing = False
        self._writing = False
        self._state = threading.Condition(threading.RLock())  # a signal handler may log while we write
        self._writer: threading.Thread | None = None

    def after_fork(self) -> None:
        """In a forked child: forget the parent's lines and its thread; write inline from now on."""
        self.dropped = 0
        self._reset(threaded=False)

    def write(self, line: bytes) -> None:
        """Take one line (with its newline), or drop it when the ring is full. Never blocks."""
        with self._state:
            if len(self._ring) >= self._lines:
                self.dropped += 1
            else:
                self._ring.append(line)
            if self._threaded:
                self._start()
                self._state.notify()
                return
            self._write_what_fits()

    def flush(self, deadline_s: float) -> bool:
        """Wait until everything is written, at most `deadline_s` seconds; False when something is left."""
        until_s = time.monotonic() + deadline_s
        while True:
            with self._state:
                if not self._threaded:
                    self._write_what_fits()
                if not self._pending():
                    return True
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    return False
                if self._threaded:
                    self._state.wait(left_s)
                    continue
            self._has_room(min(left_s, 0.1))

    def stop_thread(self, deadline_s: float) -> bool:
        """Write inline from now on, so that the process may fork.

        False, and nothing is changed, when the thread hangs in a write that nobody reads.
        """
        self.flush(deadline_s)
        with self._state:
            writer, self._threaded = self._writer, False
            self._state.notify_all()
        if writer is not None:
            writer.join(deadline_s)
            if writer.is_alive():
                self._threaded = True
                return False
        self._writer = None
        return True

    def _pending(self) -> bool:
        return bool(self._ring or self._partial or (self.dropped > self._told and not self._failing))

    def _give_up(self) -> None:
        """Nobody reads any more, or the disk is full: the backlog is lost; told if it ever gets better."""
        self.dropped += len(self._ring) + bool(self._partial)
        self._ring.clear()
        self._partial = b""
        self._failing = True

    def _start(self) -> None:
        if self._writer is None:
            self._writer = threading.Thread(target=self._run, args=(self._state,), name="log", daemon=True)
            self._writer.start()

    def _run(self, state: threading.Condition) -> None:
        while True:
            with state:
                while self._threaded and not self._pending():
                    state.wait()
                if not self._threaded:
                    return
                piece = self._next_piece()
            try:
                # Blocks as long as nobody reads; that is what this thread is for.
                written = os.write(self._fd, piece)
            except BlockingIOError:  # somebody else made the descriptor non-blocking
                self._has_room(1.0)
                continue
            except OSError:
                written = -1
            with state:
                if written < 0:
                    self._give_up()
                else:
                    self._partial, self._failing = piece[written:], False
                state.notify_all()

    def _next_piece(self) -> bytes:
        """What to write next; it stays in _partial until it is written."""
        if self._partial:
            return self._partial
        now_s = time.monotonic()
        # Told when the backlog is written, and in a lasting flood once a second.
        if self.dropped > self._told and (not self._ring or now_s - self._told_at_s > 1.0):
            count, self._told, self._told_at_s = self.dropped - self._told, self.dropped, now_s
            self._partial = self._tell_dropped(count)
        else:
            self._partial = self._ring.popleft()
        return self._partial

    def _write_what_fits(self) -> None:
        if self._writing:
            return  # a signal handler's line, in the middle of our own writing: we take it along
        try:
            self._writing = True
            while self._pending() and self._has_room():
                piece = self._next_piece()[:_PIECE_BYTES]
                written = (
                    os.write(self._fd, piece)
                    if self._socket is None
                    else self._socket.send(piece, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                )
                self._partial, self._failing = self._partial[written:], False
        except BlockingIOError:
            pass
        except OSError:
            self._give_up()
        finally:
            self._writing = False

    def _has_room(self, within_s: float = 0.0) -> bool:
        poller = select.poll()
        poller.register(self._fd, select.POLLOUT)
        return bool(poller.poll(within_s * 1000))

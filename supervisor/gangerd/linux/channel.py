"""A mailbox between two processes: one datagram a message, file descriptors may ride along.

Wraps one end of a SOCK_SEQPACKET pair, always non-blocking. What a message is, it leaves to the encode and
decode functions it is given; what to do with a full mailbox, it leaves to the caller (`send` says False).
Used by the master and by every process it starts.
"""

import array
import errno
import select
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from gangerd.linux.descriptors import close_all

M = TypeVar("M")

MAX_MESSAGE_BYTES = 131_072
"""The longest encoded message. A seqpacket datagram is never split, so a longer one is a mistake of ours."""

_MAX_FDS = 16
_INT = array.array("i").itemsize
_ANCILLARY = socket.CMSG_SPACE(_MAX_FDS * _INT) + socket.CMSG_SPACE(struct.calcsize("3i"))
# One reader must not starve its other duties because one peer talks without end.
_MOST_A_CALL = 256
_FULL = {errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.ETOOMANYREFS}


class Closed(Exception):
    """The other end is gone and everything it said has been read."""


class MessageTooLarge(ValueError):
    """An encoded message is longer than MAX_MESSAGE_BYTES."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends; each non-blocking and close-on-exec."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


class Channel(Generic[M]):
    """One end of a mailbox. Not thread-safe; in a forked child only one of the two may go on using it.

    Attributes:
        garbage: datagrams dropped because they could not be decoded (the peer is not trusted).
        sender_pid: who sent the newest datagram read, by the kernel's word, if `credentials` was asked for.
    """

    def __init__(
        self,
        end: socket.socket | int,
        encode: Callable[[M], bytes],
        decode: Callable[[bytes], M],
        *,
        credentials: bool = False,
    ) -> None:
        self._socket = socket.socket(fileno=end) if isinstance(end, int) else end
        self._socket.setblocking(False)
        if credentials:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._encode = encode
        self._decode = decode
        self.garbage = 0
        self.sender_pid: int | None = None

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def send(self, message: M, fds: Sequence[int] = ()) -> bool:
        """Send one message; False when the mailbox is full, so that the caller keeps it and tries later.

        The descriptors are copied by the kernel; the caller still owns and closes its own.
        Raises Closed when the other end is gone, MessageTooLarge when the message could never be sent.
        """
        data = self._encode(message)
        if len(data) > MAX_MESSAGE_BYTES or not data:
            raise MessageTooLarge(f"a message of {len(data)} bytes; 1 to {MAX_MESSAGE_BYTES} are possible")
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        while True:
            try:
                self._socket.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)
                return True
            except ConnectionResetError:
                continue  # told once that the peer died with unread mail; the next try says EPIPE
            except ConnectionError as error:
                raise Closed from error
            except OSError as error:
                if error.errno in _FULL:
                    return False
                if error.errno == errno.ENOTCONN:
                    raise Closed from error
                raise

    def receive(self) -> list[tuple[M, tuple[int, ...]]]:
        """Everything waiting (at most 256 messages), oldest first, each with the descriptors it carried.

        The caller owns those descriptors. An empty list means nothing waits. Raises Closed at the end of
        file, but only after every message sent before it has been handed out.
        """
        received: list[tuple[M, tuple[int, ...]]] = []
        for _ in range(_MOST_A_CALL):
            try:
                data, fds, whole = self._read_datagram()
            except BlockingIOError:
                break
            except ConnectionResetError:
                continue  # the peer died with unread mail; what it sent before is still queued for us
            if not data and not fds and self._hung_up():
                if received:
                    break  # end of file is level-triggered: the next call raises
                raise Closed
            try:
                if not whole or not data:
                    raise ValueError("truncated or empty")
                received.append((self._decode(data), fds))
            except Exception:  # whatever a decoder raises at bytes a broken worker sent
                self.garbage += 1
                close_all(fds)
        return received

    def _read_datagram(self) -> tuple[bytes, tuple[int, ...], bool]:
        data, ancillary, flags, _ = self._socket.recvmsg(
            MAX_MESSAGE_BYTES, _ANCILLARY, socket.MSG_CMSG_CLOEXEC
        )
        whole = not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
        return data, tuple(self._open(ancillary)), whole

    def _open(self, ancillary: Iterable[tuple[int, int, bytes]]) -> Iterable[int]:
        for level, kind, payload in ancillary:
            if level != socket.SOL_SOCKET:
                continue
            if kind == socket.SCM_RIGHTS:
                numbers = array.array("i")
                numbers.frombytes(payload[: len(payload) - len(payload) % _INT])
                yield from numbers
            elif kind == socket.SCM_CREDENTIALS:
                self.sender_pid = struct.unpack("3i", payload)[0]

    def _hung_up(self) -> bool:
        # An empty datagram and the end of file read alike; only poll tells them apart.
        poller = select.poll()
        poller.register(self._socket, select.POLLRDHUP)
        return any(events & (select.POLLHUP | select.POLLRDHUP) for _, events in poller.poll(0))

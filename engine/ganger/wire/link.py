"""One connection to one node: a non-blocking socket, RESP2 through hiredis, nothing that repeats by itself.

Why not redis-py's Connection: it connects in blocking mode, so that one dead node stops a trip to the others,
and it costs twice the system time per call (docs/adr tells the figures). A Link never sends anything but the
AUTH of its settings and what it is given; whether to repeat is decided above (trip.py).

Two ways to use it. `call` is the fast path: one payload, one reply, this link alone. `start` + `advance`
serve many links in one poll loop. After any exception a link is of no more use: close it.
"""

import contextlib
import errno
import mmap
import os
import select
import socket
import ssl
import time
from typing import Any

import hiredis

from ganger.config import RedisSettings
from ganger.wire.node import Node

_CHUNK = 65536
POLLIN, POLLOUT = select.POLLIN, select.POLLOUT
ReplyError = hiredis.ReplyError


class LinkLost(Exception):
    """The connection is gone. `sent`: some of the payload had left, so the command may have run."""

    def __init__(self, why: str, *, sent: bool, connecting: bool = False) -> None:
        super().__init__(why)
        self.sent = sent
        self.connecting = connecting


class LinkUntrusted(LinkLost):
    """The server's certificate is not one we have reason to trust: to repeat the attempt helps nobody."""


class LinkRefused(Exception):
    """The server refused our AUTH; the text is the server's, which never holds a password."""


def pack(words: tuple[Any, ...]) -> bytes:
    """RESP of a command. Raises TypeError for a word that is no bytes, str, int or float."""
    packed: bytes = hiredis.pack_command(words)
    return packed


class Link:
    """See above. `used_s` is when it was last given back, for its pool."""

    def __init__(self, node: Node, settings: RedisSettings, addresses: list[tuple[Any, ...]]) -> None:
        """Begin to connect to the first of `addresses` (socket.getaddrinfo's tuples). Raises LinkLost."""
        self.node = node
        self.used_s = 0.0
        self.plain = not settings.tls
        """True once `call` may be used: TLS always takes the long way."""
        self.replies: list[Any] = []
        self._settings = settings
        self._addresses = list(addresses)
        # Not a bytearray: of this a process has only those pages that a reply has filled.
        self._buffer = mmap.mmap(-1, _CHUNK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._reader = hiredis.Reader()
        self._expected = self._payload = 0
        self._greeting = settings.password is not None
        self._out = b""
        if settings.password is not None:
            self._out = pack(("AUTH", *filter(None, (settings.username, settings.password))))
        self._poller = select.poll()
        self._connect()

    # ---- the fast path -----------------------------------------------------------------------------

    def call(self, payload: bytes, timeout_ms: int) -> Any:
        """Send one command, return its one reply. Only on a link that has answered before, and `plain`.

        Raises LinkLost, TimeoutError.
        """
        sock, reader = self._sock, self._reader
        try:
            sent = sock.send(payload)
        except OSError as error:
            # A full send buffer cannot be: this link has nothing under way.
            raise LinkLost(_reason(error), sent=False) from None
        if sent != len(payload):
            self._out, self._payload, self._expected = payload[sent:], len(payload), 1
            self.replies = []
            return self.finish(time.monotonic() + timeout_ms / 1000)[0]
        poll, buffer = self._poller.poll, self._buffer
        while True:
            if not poll(timeout_ms):
                raise TimeoutError
            try:
                size = sock.recv_into(buffer)
            except OSError as error:
                raise LinkLost(_reason(error), sent=True) from None
            if not size:
                raise LinkLost("the server closed the connection", sent=True)
            reader.feed(buffer, 0, size)  # type: ignore[arg-type]
            try:
                reply = reader.gets()
            except hiredis.ProtocolError as error:
                raise LinkLost(_babble(error), sent=True) from None
            if reply is not False:
                return reply

    def exchange(self, payload: bytes, count: int, until_s: float) -> list[Any]:
        """Send `payload` and wait for its `count` replies. Raises LinkLost, LinkRefused, TimeoutError."""
        self.start(payload, count)
        return self.finish(until_s)

    def finish(self, until_s: float) -> list[Any]:
        """Wait for the replies of what was started. Raises LinkLost, LinkRefused, TimeoutError."""
        while True:
            poller = select.poll()
            poller.register(self, self.wants())
            events = poller.poll(max(0.0, (until_s - time.monotonic()) * 1000))
            if not events:
                raise TimeoutError
            if self.advance(events[0][1]):
                return self.replies

    # ---- many links in one poll loop ---------------------------------------------------------------

    def start(self, payload: bytes, count: int) -> None:
        """Queue `payload`, which brings `count` replies, and send what the socket takes. Raises LinkLost."""
        self._out += payload
        self._payload = len(payload)
        self._expected = count
        self.replies = []
        if self._state == "ready":
            self._send()

    def fetch(self, patience_ms: int) -> bool:
        """Wait so long for each part of the replies; True when they are complete. Raises LinkLost."""
        poll = self._poller.poll
        while not self._out:
            if not poll(patience_ms):
                return False
            self._receive()
            if len(self.replies) >= self._expected:
                return True
        return False

    def fileno(self) -> int:
        """For poll; it may change while connecting (the next address of a name)."""
        return self._sock.fileno()

    def wants(self) -> int:
        """The poll events to wait for."""
        if self._state == "connecting":
            return POLLOUT
        if self._state != "ready":
            return POLLOUT if self._state == "tls-write" else POLLIN
        return POLLIN | POLLOUT if self._out else POLLIN

    @property
    def sent(self) -> bool:
        """Has any byte of the payload left?"""
        return len(self._out) < self._payload

    @property
    def unsent(self) -> bool:
        """Is there something to send still?"""
        return bool(self._out)

    @property
    def connecting(self) -> bool:
        """Not yet connected, or not yet past TLS."""
        return self._state != "ready"

    def advance(self, events: int) -> bool:
        """Go on after poll said `events`; True when `replies` is complete. Raises LinkLost, LinkRefused."""
        if self._state == "connecting":
            self._connected()
        if self._state.startswith("tls"):
            self._shake_hands()
        if self._state != "ready":
            return False
        if self._out:
            self._send()
        if events & ~POLLOUT or not self.plain:
            self._receive()
        return len(self.replies) >= self._expected and not self._out

    def close(self) -> None:
        """Close without a word to the server; safe to repeat, and in a forked child."""
        with contextlib.suppress(OSError):
            self._sock.close()

    def is_stale(self) -> bool:
        """An idle link should have nothing to read: anything there is the end of the connection."""
        return bool(self._poller.poll(0))

    # ---- inside ------------------------------------------------------------------------------------

    def _connect(self) -> None:
        family, kind, proto, _, address = self._addresses.pop(0)
        sock = self._sock = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, proto)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._state = "connecting"
        code = sock.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            self._connect_failed(OSError(code, os.strerror(code)))

    def _connect_failed(self, error: OSError) -> None:
        self._sock.close()
        if not self._addresses:
            raise LinkLost(_reason(error), sent=False, connecting=True)
        self._connect()

    def _connected(self) -> None:
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._connect_failed(OSError(code, os.strerror(code)))
            return
        if self._settings.tls:
            context = ssl.create_default_context()
            self._sock = context.wrap_socket(
                self._sock, server_hostname=self.node.host, do_handshake_on_connect=False
            )
            self._state = "tls-write"
        else:
            self._state = "ready"
        self._poller.register(self._sock, POLLIN)

    def _shake_hands(self) -> None:
        assert isinstance(self._sock, ssl.SSLSocket)
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            self._state = "tls-read"
        except ssl.SSLWantWriteError:
            self._state = "tls-write"
        except ssl.SSLCertVerificationError as error:
            raise LinkUntrusted(f"TLS: {_reason(error)}", sent=False, connecting=True) from None
        except OSError as error:
            raise LinkLost(f"TLS: {_reason(error)}", sent=False, connecting=True) from None
        else:
            self._state = "ready"

    def _send(self) -> None:
        try:
            sent = self._sock.send(self._out)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except OSError as error:
            raise LinkLost(_reason(error), sent=self.sent) from None
        self._out = self._out[sent:]

    def _receive(self) -> None:
        try:
            while True:
                size = self._sock.recv_into(self._buffer)
                if not size:
                    raise LinkLost("the server closed the connection", sent=self.sent)
                self._reader.feed(self._buffer, 0, size)  # type: ignore[arg-type]
                if self.plain and size < _CHUNK:
                    break
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError as error:
            raise LinkLost(_reason(error), sent=self.sent) from None
        finally:
            self._collect()

    def _collect(self) -> None:
        gets = self._reader.gets
        while True:
            try:
                reply = gets()
            except hiredis.ProtocolError as error:
                raise LinkLost(_babble(error), sent=self.sent) from None
            if reply is False:
                return
            if self._greeting:
                self._greeting = False
                if isinstance(reply, ReplyError):
                    raise LinkRefused(str(reply))
                continue
            self.replies.append(reply)


def _babble(error: Exception) -> str:
    return f"it does not speak the protocol of Redis: {error}"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()

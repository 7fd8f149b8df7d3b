"""The health role: answers /live and /ready on a port or a unix socket, and does nothing else.

A process of its own that only reads the recorder, so that no caller, however slow or many, is between the
master or the coordinator and their work. An address that can't be had is logged and tried again: the service
does not hang on it. Started by the master where `health` is set; leaves on Drain, after all others.
"""

import contextlib
import socket
import stat
import time
from pathlib import Path

from gangerd import health, log
from gangerd.config import EXIT_FAILED
from gangerd.linux.channel import Channel, Closed
from gangerd.messages import Drain, Message, RoleReady
from gangerd.roles.health import http
from gangerd.roles.loop import LeaveLoop, Loop

NAME = "health"
MOST_CALLERS = 64
PATIENCE_S = 2.0
"""A caller that has not asked by then, or not taken its answer, is hung up on."""
BIND_MS = 1000
TIDY_MS = 500
_logger = log.get()


class Caller:
    """One connection."""

    def __init__(self, connection: socket.socket, until_s: float) -> None:
        self.socket = connection
        self.until_s = until_s
        self.head = b""


class Server:
    def __init__(self, channel: Channel[Message], address: str, recorder_fd: int) -> None:
        self._channel = channel
        self._address = address
        self._recorder_fd = recorder_fd
        self._listener: socket.socket | None = None
        self._callers: dict[int, Caller] = {}
        self._complained = False
        self.loop = Loop()

    def serve(self) -> int:
        """Until Drain or the master's end; the exit code."""
        self.loop.watch(self._channel.fileno(), self._receive)
        self.loop.when_asked("listen", self._listen)
        self.loop.every("tidy", TIDY_MS, self._tidy)
        self._listen()
        self._channel.send(RoleReady(NAME, f"/live and /ready on {self._address}"))
        try:
            return self.loop.run()
        finally:
            self._close()
            log.flush()

    def _receive(self) -> None:
        try:
            arrived = self._channel.receive()
        except Closed:
            raise LeaveLoop(EXIT_FAILED) from None
        if any(isinstance(message, Drain) for message, _ in arrived):
            raise LeaveLoop(0)

    def _listen(self) -> None:
        try:
            self._listener = listen(self._address)
        except OSError as error:
            if not self._complained:
                _logger.error(log.HEALTH_UNSERVED, address=self._address, error=str(error))
            self._complained = True
            self.loop.soon("listen", BIND_MS)
            return
        self._complained = False
        self.loop.watch(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            if len(self._callers) >= MOST_CALLERS:
                connection.close()
                return
            connection.setblocking(False)
            caller = Caller(connection, time.monotonic() + PATIENCE_S)
            self._callers[connection.fileno()] = caller
            self.loop.watch(connection.fileno(), lambda: self._read(caller))

    def _read(self, caller: Caller) -> None:
        try:
            part = caller.socket.recv(http.MAX_HEAD_BYTES + 1)
        except BlockingIOError:
            return
        except OSError:
            self._hang_up(caller)
            return
        caller.head += part
        if not part:
            self._hang_up(caller)
        elif http.is_whole(caller.head):
            # An answer is smaller than any socket's buffer: what does not go out at once never will.
            with contextlib.suppress(OSError):
                caller.socket.sendall(http.answer(caller.head, self._judge))
                caller.socket.shutdown(socket.SHUT_WR)
            self._hang_up(caller)

    def _judge(self) -> health.Health:
        return health.judge(health.look(self._recorder_fd), time.monotonic_ns())

    def _hang_up(self, caller: Caller) -> None:
        number = caller.socket.fileno()
        self.loop.forget(number)
        self._callers.pop(number, None)
        caller.socket.close()

    def _tidy(self) -> None:
        now_s = time.monotonic()
        for caller in [each for each in self._callers.values() if each.until_s < now_s]:
            self._hang_up(caller)

    def _close(self) -> None:
        for caller in list(self._callers.values()):
            self._hang_up(caller)
        if self._listener is not None:
            self._listener.close()
            if self._address.startswith("unix:"):
                Path(self._address.removeprefix("unix:")).unlink(missing_ok=True)


def listen(address: str) -> socket.socket:
    """A listening socket at `host:port` or `unix:/path`. Raises OSError."""
    if address.startswith("unix:"):
        path = Path(address.removeprefix("unix:"))
        _clear(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        name: str | tuple[str, int] = str(path)
    else:
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        name = (host, int(port))
    try:
        listener.bind(name)
        if isinstance(name, str):
            Path(name).chmod(0o660)
        listener.listen(MOST_CALLERS)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _clear(path: Path) -> None:
    """Remove the socket of a server that was killed: one that nobody answers at. Anything else stays, and
    makes the bind fail."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)

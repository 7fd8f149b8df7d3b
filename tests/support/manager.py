"""A socket in systemd's place: hears what a service tells its manager (NOTIFY_SOCKET)."""

import os
import socket
import time

from support.children import readable
from support.waiting import until


class Manager:
    """Hears what a service tells its manager."""

    def __init__(self) -> None:
        self.address = f"@ganger-herald-{os.getpid()}-{time.monotonic_ns()}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.address[1:])
        self._socket.setblocking(False)
        self.said: list[str] = []

    def hear(self) -> list[str]:
        while True:
            try:
                self.said.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self.said

    def await_line(self, start: str, count: int = 1) -> str:
        def found() -> list[str]:
            return [line for line in self.hear() if line.startswith(start)]

        until(lambda: len(found()) >= count, f"{count} x {start}", 15.0)
        return found()[-1]

    def is_silent(self, for_s: float) -> bool:
        """Nothing comes for so long."""
        return not readable(self._socket, for_s)

    def close(self) -> None:
        self._socket.close()

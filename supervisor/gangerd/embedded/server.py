"""One server process: its configuration file, its start, its orderly end.

It lives in a session of its own (Ctrl-C in the terminal must not reach it before the drain is over), is told
to end by the kernel when its keeper dies, and inherits the directory's lock, so that a successor waits until
the data is whole. What several servers form together is cluster.py."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from gangerd.embedded import tail, wire
from gangerd.embedded.layout import BUS_OFFSET, write_private
from gangerd.errors import ServerFailed
from gangerd.linux import processes

START_S = 10.0


class Server:
    """A server on a port and a directory; may be started again after its end."""

    def __init__(self, binary: Path, directory: Path, port: int, password: str, *, cluster: bool) -> None:
        self.binary = binary
        self.directory = directory
        self.port = port
        self.password = password
        self.cluster = cluster
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def ask(self, *command: str, timeout_s: float = 1.0) -> wire.Reply:
        return wire.ask(self.port, self.password, command, timeout_s=timeout_s)

    def spawn(self, lock_fd: int) -> None:
        """Start the process, without waiting until it serves."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = self.directory / "server.conf"
        write_private(config, self._directives().encode())
        tail.mend(self.directory)
        self._process = subprocess.Popen(
            [self.binary, config.name],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(lock_fd,),
            preexec_fn=_die_in_order(os.getpid()),
        )

    def _directives(self) -> str:
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"requirepass {self.password}",
            f"masterauth {self.password}",
            f"dir {_quoted(self.directory)}",
            "logfile server.log",
            "daemonize no",
            'save ""',
            "appendonly yes",
            "maxmemory-policy noeviction",
        ]
        if self.cluster:
            lines += [
                "cluster-enabled yes",
                "cluster-config-file nodes.conf",
                f"cluster-port {self.port + BUS_OFFSET}",
                "cluster-announce-ip 127.0.0.1",
                "cluster-node-timeout 5000",
                # One shard being restarted must not stop the others.
                "cluster-require-full-coverage no",
            ]
        return "\n".join(lines) + "\n"

    def ended(self) -> int | None:
        """The exit status once the process is gone (reaps it), None while it lives."""
        return self._process.poll() if self._process else 0

    def await_ready(self, deadline_s: float) -> None:
        """Wait until it answers with its data loaded; `deadline_s` is an instant of the monotonic clock.

        Raises ServerFailed with the last line of its log."""
        while True:
            status = self.ended()
            if status is not None:
                raise ServerFailed(f"{self.name} ended with status {status}: {self._last_line()}")
            try:
                self.ask("PING", timeout_s=0.5)
                return
            except (OSError, wire.Refusal):
                if time.monotonic() > deadline_s:
                    raise ServerFailed(
                        f"{self.name} did not serve within {START_S:g} s: {self._last_line()}"
                    ) from None
            time.sleep(0.01)

    @property
    def name(self) -> str:
        return f"{self.binary.name} on port {self.port}"

    def _last_line(self) -> str:
        try:
            lines = (self.directory / "server.log").read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it left no log"

    def tell_to_stop(self) -> None:
        """SHUTDOWN: it writes out what it has and leaves; a TERM where it does not listen."""
        if self._process is None or self.ended() is not None:
            return
        try:
            self.ask("SHUTDOWN", timeout_s=2.0)
        except wire.Refusal:
            self._process.terminate()
        except OSError:
            if self.ended() is None:  # hanging up is how it says yes
                self._process.terminate()

    def await_end(self, timeout_s: float) -> None:
        """Wait for the end; kill what does not come to one."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def _die_in_order(keeper: int) -> Callable[[], None]:
    """For the child: TERM (an orderly end, the data whole) when its keeper dies."""

    def arrange() -> None:
        # The keeper may ignore these, and a server must not while it has no handler of its own yet.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if not processes.die_with_parent(keeper, signal.SIGTERM):
            os._exit(1)

    return arrange


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'

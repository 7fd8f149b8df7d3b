"""The embedded servers of one directory as a whole: who keeps them, their start, care and end.

One process at a time keeps a directory's servers; it holds the lock, as do the servers themselves. Others
use them as guests, and the first guest to see the lock free becomes the keeper. Keepers: the servers role,
and `ganger embedded`. Blocking, single-threaded, no signals of its own."""

import contextlib
import fcntl
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from gangerd.embedded import cluster, layout
from gangerd.embedded.layout import Layout
from gangerd.embedded.server import START_S, Server
from gangerd.embedded.wire import Refusal
from gangerd.errors import ServerFailed

STOP_S = 10.0
# A dead server comes back at once, one that keeps dying after a pause.
_RESTART_S = (0.0, 0.5, 1.0, 2.0, 5.0)
_CALM_S = 30.0


class Fleet:
    """The servers under `directory` (`<dir>`, of which `<dir>/servers` holds their data).

    `binary` is called for the program when servers are to be started, so that guests need none."""

    def __init__(self, directory: Path, binary: Callable[[], Path], *, shards: int = 1) -> None:
        self._home = directory / "servers"
        self._file = directory / "embedded.json"
        self._binary = binary
        self._shards = shards
        self._lock_fd: int | None = None
        self._servers: list[Server] = []
        self._restarts: dict[int, list[float]] = {}
        self._due: dict[int, float] = {}
        self.layout: Layout | None = None

    @property
    def kept(self) -> bool:
        """This process keeps the servers (and not another one that they are shared with)."""
        return bool(self._servers)

    @property
    def pids(self) -> list[int]:
        return [server.pid for server in self._servers if server.pid]

    def join_or_start(self, timeout_s: float = 30.0) -> bool:
        """Use the servers that run in this directory, or else start them; True when this process now keeps
        them.

        Raises ServerFailed, NoServerBinary, or OSError when the directory can't be written."""
        deadline = time.monotonic() + timeout_s
        while not self.take_over():
            known = layout.announced(self._file)
            if known is not None:
                return False
            # Neither free nor announced: another starts them just now, or they are writing out their data.
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"other servers hold {self._home / 'lock'} and do not say how to reach them"
                )
            time.sleep(0.05)
        return True

    def take_over(self) -> bool:
        """Start the servers here if nobody keeps them; False when somebody does."""
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_fd = os.open(self._home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock_fd)
            return False
        self._lock_fd = lock_fd
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return True

    def _start(self) -> None:
        """As they were before, else on fresh ports; a port lost to somebody between look and start is
        replaced by another, twice."""
        binary = self._binary()
        path = self._home / "layout.json"
        self.layout = layout.load(path) or layout.draw(self._shards)
        for attempt in range(3):
            self._replace_taken_ports()
            layout.write_private(path, self.layout)
            self._servers = self._build(binary)
            try:
                self._bring_up()
                break
            except ServerFailed:
                if attempt == 2 or all(server.ended() is None for server in self._servers):
                    raise
                self._end_all()
        self.vouch()
        layout.write_private(
            self._file,
            {
                "redis": self.layout.redis_url(),
                "semaphores": [self.layout.semaphore_url()],
                "pid": os.getpid(),
            },
        )

    def vouch(self) -> None:
        """Tell the server for semaphores that it has forgotten nobody who holds a permit: all who can are
        on this machine, and whatever ends less than the machine leaves the append-only file whole."""
        # The engine, loaded by who keeps servers and by no guest.
        from ganger.throttle.server_check import vouch

        server = self._servers[-1]
        info = server.ask("INFO", "server")
        assert isinstance(info, bytes)
        run = next(line[7:] for line in info.decode().splitlines() if line.startswith("run_id:"))
        server.ask(*vouch(run))

    def _replace_taken_ports(self) -> None:
        assert self.layout is not None
        ports = [*self.layout.shards, self.layout.semaphore]
        for index, port in enumerate(ports):
            bus = index < len(self.layout.shards)
            if not layout.is_free(port) or (bus and not layout.is_free(port + layout.BUS_OFFSET)):
                ports[index] = layout.free_ports(1, random.SystemRandom(), taken=ports)[0]
        self.layout.shards, self.layout.semaphore = ports[:-1], ports[-1]

    def _build(self, binary: Path) -> list[Server]:
        assert self.layout is not None
        password = self.layout.password
        shards = [
            Server(binary, self._home / f"shard-{index}", port, password, cluster=True)
            for index, port in enumerate(self.layout.shards)
        ]
        place = self._home / "semaphore"
        return [*shards, Server(binary, place, self.layout.semaphore, password, cluster=False)]

    def _bring_up(self) -> None:
        assert self._lock_fd is not None
        for server in self._servers:
            server.spawn(self._lock_fd)
        deadline = time.monotonic() + START_S
        for server in self._servers:
            server.await_ready(deadline)
        try:
            cluster.form([server for server in self._servers if server.cluster])
        except (OSError, Refusal) as error:
            raise ServerFailed(f"the embedded cluster could not be formed: {error}") from None

    def watch(self) -> list[str]:
        """Start again what died, on its port and data; a sentence for each death and failed start. To be
        called a few times a second; never blocks."""
        assert self._lock_fd is not None or not self._servers
        news = []
        now = time.monotonic()
        for index, server in enumerate(self._servers):
            status = server.ended()
            if status is None:
                continue
            if index not in self._due:
                recent = [at for at in self._restarts.get(index, []) if now - at < _CALM_S]
                self._restarts[index] = [*recent, now]
                self._due[index] = now + _RESTART_S[min(len(recent), len(_RESTART_S) - 1)]
                news.append(f"{server.name} ended with status {status} and is started again")
            if now >= self._due[index] and self._lock_fd is not None:
                del self._due[index]
                server.spawn(self._lock_fd)
        return news

    def stop(self) -> None:
        """The orderly end: nobody finds them any more, each writes out its data and leaves, the lock is
        free. A guest only leaves."""
        if self._lock_fd is None:
            return
        with contextlib.suppress(FileNotFoundError):
            self._file.unlink()
        self._end_all()
        os.close(self._lock_fd)
        self._lock_fd = None

    def _end_all(self) -> None:
        for server in self._servers:
            server.tell_to_stop()
        for server in self._servers:
            server.await_end(STOP_S)
        self._servers = []

"""All that a chaos run examines: a cluster, servers for semaphores, two hosts with a master each, producers.

Everything is a real process of its own, and carries a mark in its environment, by which is found at the end
whether one was left behind. Who harms it is in nemeses/; run.py says when.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chaos import servers
from chaos.journal import VARIABLE, at_work
from chaos.kinds import CONCURRENCY, HOSTS, KEPT, NARROW, QUEUES
from chaos.nemesis import Note, Stage
from chaos.network import Loopback, Network
from ganger.cluster import Cluster
from ganger.keys import Control
from ganger.operations import control
from gangerd.linux import processes
from support.command import environment
from support.gang import TESTS, Gang, alive

MARK = "GANGER_CHAOS_MARK"
PRODUCERS = 3


class Host(Gang):
    """A host of the run. It may be killed and started again from any thread."""

    def __init__(
        self,
        name: str,
        root: Path,
        env: Mapping[str, str],
        semaphores: Iterable[str],
        prefix: Sequence[str],
        note: Note,
    ) -> None:
        self.name, self._note = name, note
        self.held = threading.Event()
        """Set while somebody wants it to stay as it is: down, or frozen."""
        self._turn = threading.Lock()
        self._path = env["PYTHONPATH"]
        self._journal = Path(env[VARIABLE])
        settings: dict[str, Any] = {
            "host": name,
            "durability": "replicated",
            "semaphores": list(semaphores),
            "dead_max_count": 1_000_000,
            "shutdown_timeout": 10,
            "queues": list(QUEUES),
            f"limits.{NARROW}.queue": NARROW,
            f"limits.{NARROW}.concurrency": CONCURRENCY,
            f"retain.{KEPT}": "7d",
        }
        super().__init__(root, env, workers=4, settings=settings, prefix=prefix, app="chaos.app")

    def start(self) -> None:
        self._env["PYTHONPATH"] = self._path
        # A process dies with the thread that started it.
        servers.births.submit(super().start).result()

    def revive(self) -> None:
        """Started again, if it has ended."""
        with self._turn:
            self.held.clear()
            if self.ended:
                self._say_ended(asked=False)
                self.start()

    def dismiss(self) -> None:
        """Asked to end, for good."""
        asked = not self.ended
        if asked:
            try:
                self.drain(60)
            except subprocess.TimeoutExpired:
                self.crash()
        self._say_ended(asked)

    def _say_ended(self, asked: bool) -> None:
        """`asked`: for good. Who ended it else, or whether it did by itself, ends.py finds out."""
        code = self.process.returncode
        about = {"of": self.name, "pid": self.process.pid, "exit_code": code, "asked": asked}
        self._note("ended", **about, log=self.log_file.name)

    def children(self, role: str) -> list[int]:
        """Pids of its living workers, or of another role's processes, as its status file says."""
        try:
            status = self.status()
        except (OSError, ValueError):
            return []
        rows = status["workers"] if role == "worker" else [r for r in status["roles"] if r["role"] == role]
        ours = {self.process.pid, *self.pids()}
        return [row["pid"] for row in rows if row["pid"] in ours and alive(row["pid"])]

    def is_at(self, code: str) -> bool:
        """Whether one of its workers is in the middle of a job of this kind."""
        return any(at_work(self._journal, pid) == code for pid in self.children("worker"))

    def logs(self) -> list[Path]:
        """Of all its lives."""
        return sorted(self.root.glob("log.*"))


class Producer:
    """A process that pushes; each life is a new one."""

    def __init__(
        self,
        number: int,
        settings: dict[str, Any],
        env: Mapping[str, str],
        log: Path,
        prefix: Sequence[str],
        note: Note,
    ) -> None:
        self.name, self._note = f"producer {number}", note
        self._settings, self._env, self._log, self._lives = settings, env, log, 0
        self._prefix = prefix
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self.process is not None:
            self._say_ended(asked=False)
        self._lives += 1
        settings = {**self._settings, "seed": f"{self._settings['seed']}-{self.name}-{self._lives}"}
        words = [*self._prefix, sys.executable, "-m", "chaos.producer", json.dumps(settings)]

        def born() -> subprocess.Popen[bytes]:
            parent = os.getpid()
            with self._log.open("ab") as log:
                return subprocess.Popen(
                    words,
                    env=dict(self._env),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    preexec_fn=lambda: processes.die_with_parent(parent, signal.SIGKILL),
                )

        self.process = servers.births.submit(born).result()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """It finishes what it is pushing."""
        asked = not self.ended
        if asked:
            assert self.process is not None
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
        self._say_ended(asked)

    def _say_ended(self, asked: bool) -> None:
        assert self.process is not None
        code = self.process.returncode
        self._note("ended", of=self.name, pid=self.pid, exit_code=code, asked=asked)


class World:
    """`per_s`: how many jobs are pushed in a second, by all producers together; `lines`: between the hosts
    and the servers; `note` writes into the record of the run."""

    def __init__(
        self,
        root: Path,
        seed: int,
        per_s: float,
        lines: Network,
        note: Note,
        planted: Path | None = None,
        server: str = "valkey",
    ) -> None:
        self.root, self._note = root, note
        self.mark = secrets.token_hex(8)
        self.journal = root / "journal"
        for folder in ("runs", "pushes"):
            (self.journal / folder).mkdir(parents=True)
        self.slow = root / "slow"
        self.lines = lines
        self.jobs = servers.JobServers(server, addresses=lines.nodes(), clocks=True)
        self.semaphores = servers.SemaphoreServers(server, host=lines.address)
        self.hosts: list[Host] = []
        self._paths = [str(planted)] if planted else []
        settings = {
            "redis": self.jobs.url,
            "slow": str(self.slow),
            "seed": seed,
            "odd_per_s": 24.0 / PRODUCERS,
        }
        settings["bulk_per_s"] = per_s / PRODUCERS
        log = root / "producers.log"
        # A producer stands beside each host, behind the same line.
        self.producers = [
            Producer(n + 1, settings, self.env, log, lines.prefix(n % len(HOSTS)), note)
            for n in range(PRODUCERS)
        ]

    @property
    def env(self) -> dict[str, str]:
        paths = [*self._paths, str(TESTS)]
        found = {VARIABLE: str(self.journal), MARK: self.mark, "PYTHONPATH": os.pathsep.join(paths)}
        return environment({**found, "GANGER_REDIS": self.jobs.url})

    def stage(self, note: Note) -> Stage:
        lines = None if isinstance(self.lines, Loopback) else self.lines
        return Stage(self.jobs, self.semaphores, self.hosts, self.producers, note, lines)

    def __enter__(self) -> "World":
        os.environ[MARK] = self.mark  # the servers inherit it
        self.semaphores.__enter__()
        self.jobs.__enter__()
        self.cluster = Cluster(self.jobs.settings())
        self.keys = Control("ganger")
        for number, name in enumerate(HOSTS):
            prefix = self.lines.prefix(number)
            place = self.root / name
            self.hosts.append(Host(name, place, self.env, self.semaphores.urls, prefix, self._note))
        for host in self.hosts:
            host.await_log("master.serving", within_s=60)
        for queue in QUEUES:
            control.register_queue(self.cluster, self.keys, queue)
        return self

    def __exit__(self, *_: object) -> None:
        for producer in self.producers:
            if not producer.ended:
                producer.kill()
        for host in self.hosts:
            host.close()
        self.cluster.close()
        self.jobs.stop()
        for server in self.semaphores.servers:
            server.stop()
        self.lines.close()
        os.environ.pop(MARK, None)

    def keep_up(self) -> None:
        """As an init system would: a host that has ended by itself is started again."""
        for host in self.hosts:
            if host.ended and not host.held.is_set():
                host.revive()

    def left_behind(self, within_s: float = 10.0) -> list[str]:
        """Processes with our mark that run although all was ended."""
        until_s = time.monotonic() + within_s
        while (found := _marked(self.mark)) and time.monotonic() < until_s:
            time.sleep(0.1)
        return found


def _marked(mark: str) -> list[str]:
    wanted, found = f"{MARK}={mark}".encode(), []
    for place in Path("/proc").iterdir():
        if not place.name.isdigit() or int(place.name) == os.getpid():
            continue
        try:
            if wanted in (place / "environ").read_bytes().split(b"\0") and alive(int(place.name)):
                found.append(f"{place.name} {(place / 'comm').read_text().strip()}")
        except OSError:
            continue
    return found

"""Where a case is played: servers, a client for this process, and supervisors as anyone would start them.

By default servers of its own in a temporary directory, on the same machine as everything else; or the
configured cluster, in a namespace of its own that is emptied afterwards."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ganger.client import Client, set_default_client
from ganger.command import Command
from ganger.config import EngineConfig, parse_redis_url
from ganger.keys import Control, Partition, partitions
from ganger.operations.control import DEFAULT_PARTITIONS, register_queue
from ganger.slots import slot_of
from gangerd.bench.replica import Replica
from gangerd.embedded import binary
from gangerd.embedded.fleet import Fleet
from gangerd.errors import BenchFailed
from gangerd.linux import accounts, processes

APPS = "gangerd.bench.apps"
_START_S, _STOP_S = 60.0, 60.0


class Stage:
    """Servers and a namespace with nothing in it. `servers` are their pids, none where they are not ours."""

    def __init__(
        self, directory: Path, redis: str, semaphores: Sequence[str], servers: Sequence[int], namespace: str
    ) -> None:
        self.directory = directory
        self.namespace = namespace
        self.semaphores = tuple(semaphores)
        self.servers = tuple(servers)
        self.environment = {
            "GANGER_REDIS": redis,
            "GANGER_NAMESPACE": namespace,
            "GANGER_SEMAPHORES": ",".join(semaphores),
        }
        self.config = EngineConfig(parse_redis_url(redis), namespace=namespace, semaphores=self.semaphores)
        self.client = Client(self.config)
        self.cluster = self.client.cluster

    def queue(self, name: str, count: int = DEFAULT_PARTITIONS) -> tuple[Partition, ...]:
        """A queue with so many partitions, known to the cluster from now on."""
        control = Control(self.namespace)
        return partitions(self.namespace, name, register_queue(self.cluster, control, name, count))

    def pushing(self) -> None:
        """From now on the pushes of this process go here."""
        set_default_client(self.client)

    @contextmanager
    def supervisor(
        self,
        app: str,
        workers: int,
        *,
        queues: Sequence[str] = (),
        settings: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> Iterator["Host"]:
        """`ganger run` of one of our apps, serving; drained at the end."""
        home = Path(tempfile.mkdtemp(dir=self.directory))
        (home / "ganger.toml").write_text(settings)
        words = [word for queue in queues for word in ("-q", queue)]
        command = [
            sys.executable,
            "-P",
            "-m",
            "gangerd.cli",
            "run",
            f"{APPS}.{app}",
            "-w",
            str(workers),
            *words,
        ]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GANGER_")}
        log = home / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                cwd=home,
                env=clean | self.environment | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=_end_with(os.getpid()),
            )
        try:
            wait_for(
                lambda: process.poll() is not None or b"master.serving" in log.read_bytes(),
                _START_S,
                "a start",
            )
            if process.poll() is not None:
                raise BenchFailed(
                    f"the supervisor ended by itself:\n{log.read_text(errors='replace')[-3000:]}"
                )
            yield Host(process.pid)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def servers_cpu_s(self) -> float:
        return sum(accounts.cpu_s(pid) for pid in self.servers)

    def close(self) -> None:
        set_default_client(None)
        self.client.close()

    def clear(self) -> None:
        """Remove every key of the namespace."""
        for node in self.cluster.nodes():
            cursor = b"0"
            while True:
                words = ("SCAN", cursor, "MATCH", f"{self.namespace}:*", "COUNT", 1000)
                cursor, keys = self.cluster.run_on(node, words)
                self.cluster.run_many([Command(_slot(key), ("UNLINK", key)) for key in keys])
                if cursor == b"0":
                    break


class Host:
    """A supervisor that serves."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def rest(self) -> None:
        """No more claims; what is pushed now waits."""
        os.kill(self.pid, signal.SIGTSTP)
        time.sleep(0.1)

    def go(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def tree(self) -> list[int]:
        return accounts.tree(self.pid)

    def cpu(self) -> dict[int, tuple[str, float]]:
        return accounts.cpu_by_role(self.tree())


@contextmanager
def own_stage(directory: Path, *, shards: int = 1, replica: bool = False) -> Iterator[Stage]:
    """Servers of its own below `directory`; they end with it."""
    home = Path(tempfile.mkdtemp(prefix="stage-", dir=directory))
    fleet = Fleet(home, binary.find, shards=shards)
    fleet.join_or_start()
    assert fleet.layout is not None
    with contextlib.ExitStack() as stack:
        stack.callback(fleet.stop)
        if replica:
            stack.enter_context(Replica(home / "replica", fleet.layout).running())
        urls = [fleet.layout.semaphore_url()]
        stage = Stage(home, fleet.layout.redis_url(), urls, fleet.pids, "bench")
        stack.callback(stage.close)
        yield stage


@contextmanager
def guest_stage(
    directory: Path, redis: str, semaphores: Sequence[str], *, shards: int = 1, replica: bool = False
) -> Iterator[Stage]:
    """A namespace of its own on a cluster that is there; whatever `shards` and `replica` say, it is as it
    is."""
    home = Path(tempfile.mkdtemp(prefix="stage-", dir=directory))
    stage = Stage(home, redis, semaphores, (), f"bench-{secrets.token_hex(4)}")
    try:
        yield stage
    finally:
        stage.clear()
        stage.close()


def wait_for(condition: Callable[[], object], within_s: float, what: str, pause_s: float = 0.005) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise BenchFailed(f"waited {within_s:g} s in vain for {what}.")
        time.sleep(pause_s)


def _slot(key: bytes) -> int:
    return slot_of(key.partition(b"{")[2].partition(b"}")[0] or key)


def _end_with(parent: int) -> Callable[[], None]:
    def arrange() -> None:
        if not processes.die_with_parent(parent, signal.SIGTERM):
            os._exit(1)

    return arrange

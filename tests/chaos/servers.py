"""The servers of a chaos run: a cluster that holds the jobs, and standalone servers that hold the limits.

Every one is a process of ours that can be killed, stopped, started again with its data or without, and
waited for. Roles move about here, so nodes go by their id and what they are is asked of the cluster itself.
shards.py adds and drains shards; the nemeses do the harm; world.py starts all this and hands it out.
"""

import itertools
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import redis

from chaos.clocks import give_clock, missing
from chaos.nemesis import NotNow
from chaos.view import Known, read_view
from ganger.config import RedisSettings
from support.server import BUS, Server, free_port, wait_until
from support.servers import ClusterServers, Standalone

PASSWORD = "open sesame"
NODE_TIMEOUT_MS = 1500
VALIDITY = 100
"""A replica stands for election until it has missed its primary for so many node timeouts: 150 s, as the
default of 10 gives at the usual 15 s. With less, a death that is noticed late, as it is by a node whose clock
was ahead, is one that no replica ever follows."""
RECOVERY_S = 60.0
"""How long a cluster may take to become whole when nothing harms it any more."""

births = ThreadPoolExecutor(1, "births")
"""A server dies with the thread that started it, so one thread starts them all and stays."""


def start(server: Server) -> None:
    """Start its process, from whatever thread."""
    births.submit(server.start).result()


def restart(server: Server, *, empty: bool = False) -> None:
    """A process that was ended runs again and answers; a stopped one goes on. `empty`: without its data."""
    if empty and server.process is not None and server.process.poll() is None:
        server.signal(signal.SIGKILL)
    if server.process is None or server.process.poll() is not None:
        if empty:
            for path in server.directory.glob("appendonlydir"):
                shutil.rmtree(path)
        start(server)
    server.signal(signal.SIGCONT)
    wait_until(server.answers, what="a server that was started again", within_s=RECOVERY_S)


class JobServers:
    """Three primaries and a replica of each; `nodes` are the living members by id.

    `addresses`: where they listen, one after the other. `clocks`: each node gets a clock that can be stepped,
    where clocks.py can make one.
    """

    def __init__(
        self,
        binary: str = "valkey",
        *,
        addresses: Iterator[str] | None = None,
        node_timeout_ms: int = NODE_TIMEOUT_MS,
        clocks: bool = False,
        options: Sequence[str] = (),
    ) -> None:
        self.binary, self.node_timeout_ms = binary, node_timeout_ms
        self._addresses = addresses or itertools.repeat("127.0.0.1")
        self.clocks = clocks and not missing(binary)
        words = "--appendonly yes --cluster-allow-replica-migration no"
        words += f" --cluster-replica-validity-factor {VALIDITY}"
        self.options = [*words.split(), *options]
        self._first = ClusterServers(
            binary,
            primaries=3,
            replicas=1,
            password=PASSWORD,
            options=self.options,
            node_timeout_ms=node_timeout_ms,
            addresses=self._addresses,
        )
        self.nodes: dict[str, Server] = dict(zip(self._first.ids, self._first.nodes, strict=True))
        self._turn = threading.Lock()
        if self.clocks:
            for server in self.nodes.values():
                give_clock(server)

    # ---- life ------------------------------------------------------------------------------------------

    def __enter__(self) -> "JobServers":
        for server in self.nodes.values():
            start(server)
        self._first.wait_ready()
        self.wait_whole()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        for server in self.nodes.values():
            server.stop()

    def new_node(self) -> Server:
        """A server that belongs to no cluster yet, answering."""
        words = "--cluster-enabled yes --cluster-config-file nodes.conf"
        words += f" --cluster-node-timeout {self.node_timeout_ms} --repl-diskless-sync-delay 0"
        port = free_port()
        words += f" --repl-ping-replica-period 1 --cluster-port {port + BUS}"
        options = [*words.split(), *self.options]
        server = Server(self.binary, options, PASSWORD, port, next(self._addresses))
        if self.clocks:
            give_clock(server)
        start(server)
        wait_until(server.answers, what="a new node")
        return server

    # ---- how to reach it -------------------------------------------------------------------------------

    @property
    def password(self) -> str:
        return PASSWORD

    @property
    def url(self) -> str:
        """The six first nodes, with the password: they stay members for ever, in whatever role."""
        return f"redis://:{PASSWORD}@{','.join(f'{s.host}:{s.port}' for s in self._first.nodes)}"

    def settings(self, **changes: Any) -> RedisSettings:
        """The same for an engine in this process."""
        addresses = tuple((server.host, server.port) for server in self._first.nodes)
        return RedisSettings(**{"nodes": addresses, "password": PASSWORD} | changes)

    # ---- what it is now --------------------------------------------------------------------------------

    def running(self) -> dict[str, Server]:
        """The nodes whose process lives."""
        return {i: s for i, s in self.nodes.items() if s.process is not None and s.process.poll() is None}

    def view(self, of: Server | None = None) -> dict[str, Known]:
        """What this node knows of all (without it: the first that answers)."""
        error: Exception = redis.ConnectionError("no node runs")
        for server in [of] if of is not None else self.running().values():
            try:
                return read_view(server.call("CLUSTER", "NODES").decode())
            except redis.RedisError as met:
                error = met
        raise error

    def primaries(self) -> list[str]:
        """Ids of the nodes that serve slots, in a lasting order."""
        return sorted(ident for ident, known in self.view().items() if known.serves)

    def replicas(self, primary: str) -> list[str]:
        return sorted(ident for ident, known in self.view().items() if known.primary_id == primary)

    def owner(self, slot: int) -> str:
        """Id of the node that serves it."""
        return next(ident for ident, known in self.view().items() if known.has(slot))

    def keyed_slots(self, primary: str, at_most: int = 64) -> list[int]:
        """Slots of this node in which keys lie."""
        server, found = self.nodes[primary], set[int]()
        for key in server.client.scan_iter(count=500):
            found.add(int(server.call("CLUSTER", "KEYSLOT", key)))
            if len(found) >= at_most:
                break
        return sorted(found)

    # ---- whole and alone -------------------------------------------------------------------------------

    def whole(self) -> bool:
        """Every node runs and agrees with all others on who serves what, every primary has a replica in
        step, and no slot is on its way."""
        if len(self.running()) < len(self.nodes):
            return False
        views = [self.view(server) for server in self.nodes.values()]
        if any(view != views[0] for view in views[1:]):
            return False
        seen = views[0]
        if set(seen) != set(self.nodes) or any(known.flags - {"master", "slave"} for known in seen.values()):
            return False
        if sum(last - first + 1 for known in seen.values() for first, last in known.slots) != 16384:
            return False
        followed = {known.primary_id for known in seen.values()}
        return all(
            self._first.state(self.nodes[ident]) == "ok"
            and (ident in followed if known.primary_id == "-" else self._in_step(ident))
            for ident, known in seen.items()
        )

    def _in_step(self, ident: str) -> bool:
        said = self.nodes[ident].client.info("replication")
        return bool(said["role"] == "master" or said["master_link_status"] == "up")

    def wait_whole(self, within_s: float = RECOVERY_S) -> None:
        wait_until(self.whole, what="a cluster that is whole", within_s=within_s)

    @contextmanager
    def turn(self, patience_s: float = 6.0) -> Iterator[None]:
        """One nemesis at a time harms the cluster, and finds it whole: two at once could take both nodes of
        a shard, which nothing survives. Raises NotNow when it is another's turn for so long."""
        if not self._turn.acquire(timeout=patience_s):
            raise NotNow("another nemesis is at the cluster")
        try:
            if not self._whole_now():
                raise NotNow("the cluster is not whole")
            yield
        finally:
            self._turn.release()

    def _whole_now(self) -> bool:
        try:
            return self.whole()
        except redis.RedisError:
            return False

    def everywhere(self, act: Callable[[Server], object]) -> None:
        """Do it to every node that answers."""
        for server in self.running().values():
            try:
                act(server)
            except redis.RedisError:
                continue

    def mend(self) -> None:
        """Every process runs, and the cluster is whole."""
        for server in self.nodes.values():
            restart(server)
        self.wait_whole()


class SemaphoreServers:
    """Standalone servers, each with an append-only file: they can come back with or without memory."""

    def __init__(self, binary: str = "valkey", *, count: int = 3, host: str = "127.0.0.1") -> None:
        options = ["--appendonly", "yes"]
        self.all = [Standalone(binary, password=PASSWORD, options=options, host=host) for _ in range(count)]

    @property
    def servers(self) -> list[Server]:
        return [one.server for one in self.all]

    @property
    def urls(self) -> list[str]:
        return [one.url for one in self.all]

    def __enter__(self) -> "SemaphoreServers":
        for server in self.servers:
            start(server)
        for one in self.all:
            one.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.stop()

    def mend(self) -> None:
        for server in self.servers:
            restart(server)

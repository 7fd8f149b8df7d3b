"""What befalls a node of the cluster that goes on living: forgotten scripts, lost connections, no memory, no
replica, no time for anybody; and replicas that die.

Each is one call that does it, and one that undoes it on every node, wherever the roles went meanwhile.
"""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis

from chaos import ailments
from chaos.nemesis import Nemesis, NotNow, Stage
from chaos.servers import JobServers, restart
from support.server import Server

BUSY_S = 3.0
LOOP = "local till = os.clock() + tonumber(ARGV[1]) while os.clock() < till do end return 1"
"""Keeps a server from everything else: a script that counts the processor time it has used."""

Act = Callable[[Server, float], object]
"""What is done to a node, and for how many seconds where it is for a time."""


def flush_scripts(server: Server, _: float) -> None:
    server.call("SCRIPT FLUSH")


def kill_clients(server: Server, _: float) -> None:
    for sort in ("NORMAL", "PUBSUB"):
        server.call(f"CLIENT KILL TYPE {sort} SKIPME YES")


def part_with_replicas(server: Server, _: float) -> None:
    server.call("CLIENT KILL TYPE REPLICA")


def stutter(server: Server, for_s: float) -> None:
    with ailments.slow(server):
        time.sleep(for_s)


def pause_clients(server: Server, for_s: float) -> None:
    server.call("CLIENT PAUSE", int(for_s * 1000), "ALL")
    time.sleep(for_s)


def fill_memory(server: Server, for_s: float) -> None:
    """Less memory is allowed than it has already, and nothing may be thrown away."""
    server.call("CONFIG SET", "maxmemory", 1, "maxmemory-policy", "noeviction")
    time.sleep(for_s)
    server.call("CONFIG SET", "maxmemory", 0)


def want_replicas(server: Server, for_s: float) -> None:
    """More replicas than there are must be in step."""
    server.call("CONFIG SET", "min-replicas-to-write", 5)
    time.sleep(for_s)
    server.call("CONFIG SET", "min-replicas-to-write", 0)


def keep_busy(server: Server, for_s: float) -> None:
    server.client.eval(LOOP, 0, str(for_s))


def freeze(server: Server, for_s: float) -> None:
    server.signal(signal.SIGSTOP)
    try:
        time.sleep(for_s)
    finally:
        server.signal(signal.SIGCONT)


@dataclass
class Trouble:
    """One of them, done to a primary or to all."""

    stage: Stage
    name: str
    every_s: float
    branches: frozenset[str]
    act: Act
    longest_s: float = 0.0
    shortest_s: float = 0.0
    everywhere: bool = False

    def strike(self, rng: random.Random) -> None:
        cluster: JobServers = self.stage.cluster
        with cluster.turn():
            primaries = cluster.primaries()
            chosen = primaries if self.everywhere else [rng.choice(primaries)]
            for_s = rng.uniform(self.shortest_s, self.longest_s)
            for ident in chosen:
                slots = cluster.view()[ident].slots
                self.stage.note(self.name, node=ident, slots=slots, for_s=round(for_s, 2))
                try:
                    self.act(cluster.nodes[ident], for_s)
                except redis.RedisError as error:
                    # It took a while to answer, or lost its role: what was asked of it was harm enough.
                    self.stage.note(f"{self.name}: the node answered", error=str(error))
            self._undo()
            cluster.wait_whole()

    def heal(self) -> None:
        self.stage.cluster.mend()
        self._undo()

    def _undo(self) -> None:
        def undo(server: Server) -> None:
            server.call("CLIENT UNPAUSE")
            server.call("CONFIG SET", "maxmemory", 0, "min-replicas-to-write", 0)

        self.stage.cluster.everywhere(undo)


class KillReplica:
    """SIGKILL, and it comes back: meanwhile nothing can be replicated, and nobody could take over."""

    name = "kill a replica"
    every_s = 30.0
    branches = frozenset[str]()
    longest_s = 3.0

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def strike(self, rng: random.Random) -> None:
        cluster = self._stage.cluster
        with cluster.turn():
            replicas = [one for primary in cluster.primaries() for one in cluster.replicas(primary)]
            if not replicas:
                raise NotNow("no replicas")
            victim = rng.choice(replicas)
            self._stage.note("killed a replica", node=victim)
            cluster.nodes[victim].signal(signal.SIGKILL)
            try:
                time.sleep(rng.uniform(0, self.longest_s))
            finally:
                restart(cluster.nodes[victim])
                cluster.wait_whole()

    def heal(self) -> None:
        self._stage.cluster.mend()


def nemeses(stage: Stage) -> list[Nemesis]:
    def made(name: str, every_s: float, branch: str, act: Act, longest_s: float = 0.0) -> Trouble:
        branches = frozenset({branch} - {""})
        return Trouble(stage, name, every_s, branches, act, longest_s, longest_s / 4)

    flush = made("flush scripts", 10.0, "noscript", flush_scripts)
    flush.everywhere = True
    busy = made("keep a node busy", 45.0, "failover", keep_busy, BUSY_S)
    busy.shortest_s = BUSY_S
    return [
        flush,
        made("kill clients", 12.0, "", kill_clients),
        made("part a primary from its replica", 30.0, "", part_with_replicas),
        made("slow a node", 45.0, "", stutter, 4.0),
        made("pause clients", 30.0, "", pause_clients, 3.0),
        made("fill a node's memory", 30.0, "oom", fill_memory, 3.0),
        made("want more replicas", 30.0, "noreplicas", want_replicas, 3.0),
        busy,
        made("freeze a node", 45.0, "failover", freeze, 5.0),
        KillReplica(stage),
    ]

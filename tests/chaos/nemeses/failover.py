"""Primaries that die or are made to stand down, each followed by a replica taking over.

A node that was killed comes back as the replica of its successor before the strike ends: the next one may
take that successor.
"""

import random
import signal
import time

from chaos.ailments import tear
from chaos.nemesis import Nemesis, NotNow, Stage
from chaos.servers import RECOVERY_S, restart
from support.server import wait_until

TORN = 0.3
"""How often the dead has lost the last it had written down when it comes back."""
WAYS = ("plain", "FORCE", "TAKEOVER")


class KillPrimary:
    """SIGKILL; the replica is elected; the dead comes back."""

    name = "kill a primary"
    every_s = 25.0
    branches = frozenset({"failover", "memo hit"})
    longest_s = 2.0
    """So long it stays dead after the failover."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def strike(self, rng: random.Random) -> None:
        cluster = self._stage.cluster
        with cluster.turn():
            victim = rng.choice(cluster.primaries())
            slots = cluster.view()[victim].slots
            self._stage.note("killed a primary", node=victim, slots=slots)
            cluster.nodes[victim].signal(signal.SIGKILL)
            try:
                wait_until(
                    lambda: cluster.owner(slots[0][0]) != victim, what="a failover", within_s=RECOVERY_S
                )
                self._stage.note("failed over", node=victim, to=cluster.owner(slots[0][0]))
                time.sleep(rng.uniform(0, self.longest_s))
                if rng.random() < TORN:
                    tear(cluster.nodes[victim])
            finally:
                restart(cluster.nodes[victim])
                cluster.wait_whole()

    def heal(self) -> None:
        self._stage.cluster.mend()


class HandOver:
    """CLUSTER FAILOVER in its three ways."""

    name = "hand a shard over"
    every_s = 20.0
    branches = frozenset({"failover"})

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def strike(self, rng: random.Random, way: str | None = None) -> None:
        cluster, way = self._stage.cluster, way or rng.choice(WAYS)
        with cluster.turn():
            primary = rng.choice(cluster.primaries())
            if not (replicas := cluster.replicas(primary)):
                raise NotNow("a primary without a replica")
            heir = rng.choice(replicas)
            slots = cluster.view()[primary].slots
            self._stage.note("handed a shard over", node=primary, to=heir, way=way, slots=slots)
            cluster.nodes[heir].call(*f"CLUSTER FAILOVER {'' if way == 'plain' else way}".split())
            wait_until(
                lambda: cluster.owner(slots[0][0]) == heir, what=f"a {way} failover", within_s=RECOVERY_S
            )
            cluster.wait_whole()

    def heal(self) -> None:
        self._stage.cluster.mend()


def nemeses(stage: Stage) -> list[Nemesis]:
    return [KillPrimary(stage), HandOver(stage)]

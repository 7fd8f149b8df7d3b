"""Nodes of the cluster that don't reach each other, while every client reaches all of them.

What freezing a node can't show: the old primary goes on serving, for as long as it takes it to notice that it
is alone, beside the one that is elected in its place.
"""

import random
import time
from collections.abc import Callable

from chaos.nemesis import Lacking, Nemesis, Stage

SHORT_S, LONG_S = 1.0, 8.0
"""Less than a node timeout, which has no consequence but for who waits for a replica; and several."""

Sides = Callable[[str, list[str], list[str]], tuple[list[str], list[str]]]
WAYS: dict[str, Sides] = {
    # The replica is elected, and the old primary stops when it has seen no majority for a node timeout.
    "a primary alone": lambda primary, replicas, others: ([primary], [*replicas, *others]),
    # Nobody can be elected: its slots are served by nobody until it is over.
    "a shard alone": lambda primary, replicas, others: ([primary, *replicas], others),
    # It goes on, and nothing is replicated.
    "a primary from its replica": lambda primary, replicas, others: ([primary], replicas),
}


class PartNodes:
    name = "part the nodes"
    every_s = 30.0
    branches = frozenset({"clusterdown"})

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def strike(self, rng: random.Random, way: str | None = None, for_s: float | None = None) -> None:
        cluster, lines = self._stage.cluster, self._stage.network
        if lines is None:
            raise Lacking("hosts and servers are on one address")
        way = way or rng.choice(sorted(WAYS))
        if for_s is None:
            for_s = rng.uniform(*((0.2, SHORT_S) if rng.random() < 0.3 else (SHORT_S, LONG_S)))
        with cluster.turn():
            primary = rng.choice(cluster.primaries())
            slots, replicas = cluster.view()[primary].slots, cluster.replicas(primary)
            others = [ident for ident in cluster.nodes if ident not in (primary, *replicas)]
            sides = WAYS[way](primary, replicas, others)
            here, there = ([cluster.nodes[ident].host for ident in side] for side in sides)
            self._stage.note("parted the nodes", node=primary, way=way, for_s=round(for_s, 2), slots=slots)
            try:
                lines.part(here, there)
                time.sleep(for_s)
            finally:
                lines.unite()
                self._stage.note("united the nodes", node=primary, slots=slots)
                cluster.wait_whole()

    def heal(self) -> None:
        if self._stage.network is not None:
            self._stage.network.unite()
        self._stage.cluster.mend()


def nemeses(stage: Stage) -> list[Nemesis]:
    return [PartNodes(stage)]

"""Slots that move from node to node, key by key under the work, and shards that come and go."""

import random
import time
from collections.abc import Callable

from chaos import shards
from chaos.nemesis import Nemesis, NotNow, Stage
from chaos.servers import JobServers


class MoveSlots:
    """A few slots with keys go to another node. Between two keys there is time to meet a slot whose keys lie
    in two places."""

    name = "move slots"
    every_s = 15.0
    branches = frozenset({"ask", "tryagain"})

    def __init__(self, stage: Stage, longest_pause_s: float = 0.01) -> None:
        self._stage, self._longest_pause_s = stage, longest_pause_s

    def strike(self, rng: random.Random) -> None:
        cluster: JobServers = self._stage.cluster
        with cluster.turn():
            source, target = rng.sample(cluster.primaries(), 2)
            if not (keyed := cluster.keyed_slots(source)):
                raise NotNow("no keys at the node")
            chosen = rng.sample(keyed, min(len(keyed), rng.randint(1, 4)))
            self._stage.note("moved slots", slots=chosen, node=source, to=target)
            moved = shards.give_slots(cluster, chosen, target, pausing(rng, self._longest_pause_s))
            self._stage.note("slots have moved", slots=chosen, keys=moved)
            cluster.wait_whole()

    def heal(self) -> None:
        self._stage.cluster.mend()
        shards.finish_moves(self._stage.cluster)
        self._stage.cluster.wait_whole()


class AnotherShard:
    """A shard joins and takes slots with keys from all; after a while these go back and its nodes leave."""

    name = "add a shard and drain it away"
    every_s = 60.0
    branches = frozenset({"ask", "moved"})

    def __init__(self, stage: Stage, stays_s: float = 5.0) -> None:
        self._stage, self._stays_s = stage, stays_s
        self._added: str | None = None

    def strike(self, rng: random.Random) -> None:
        cluster: JobServers = self._stage.cluster
        with cluster.turn():
            self._stage.note("added a shard")
            before = cluster.primaries()
            self._added = shards.add_shard(cluster)
            keyed = [slot for ident in before for slot in cluster.keyed_slots(ident)]
            chosen = (
                rng.sample(keyed, max(1, len(keyed) // 4))
                if keyed
                else [cluster.view()[before[0]].slots[0][0]]
            )
            self._stage.note("moved slots", slots=chosen, to=self._added)
            shards.give_slots(cluster, chosen, self._added, pausing(rng))
            time.sleep(rng.uniform(0, self._stays_s))
            self._stage.note("drained a shard", node=self._added, slots=chosen)
            self._drain(pausing(rng))
            self._stage.note("a shard has left")

    def _drain(self, between: Callable[[], None] = shards.nothing) -> None:
        cluster = self._stage.cluster
        if self._added is not None and self._added in cluster.nodes:
            shards.drain_shard(cluster, self._added, between)
        self._added = None

    def heal(self) -> None:
        self._stage.cluster.mend()
        shards.finish_moves(self._stage.cluster)
        self._drain()
        self._stage.cluster.wait_whole()


def pausing(rng: random.Random, at_most_s: float = 0.01) -> Callable[[], None]:
    """What to do between two keys."""
    return lambda: time.sleep(rng.uniform(0, at_most_s))


def nemeses(stage: Stage) -> list[Nemesis]:
    return [MoveSlots(stage), AnotherShard(stage)]

"""A node's clock that jumps ahead or back, and then to what is right."""

import random
import time

from chaos import clocks
from chaos.nemesis import Lacking, Nemesis, Stage

STEPS_S = (-30, -5, -1, 1, 5, 30)


class StepClock:
    name = "step a clock"
    every_s = 40.0
    branches = frozenset[str]()

    def __init__(self, stage: Stage, lasts_s: float = 5.0) -> None:
        self._stage, self._lasts_s = stage, lasts_s

    def strike(self, rng: random.Random) -> None:
        cluster = self._stage.cluster
        if not cluster.clocks:
            raise Lacking(clocks.missing(cluster.binary) or "the servers have the machine's clock")
        with cluster.turn():
            victim, by_s = rng.choice(cluster.primaries()), rng.choice(STEPS_S)
            node, slots = cluster.nodes[victim], cluster.view()[victim].slots
            self._stage.note("stepped a clock", node=victim, by_s=by_s, slots=slots)
            try:
                clocks.step(node, by_s)
                time.sleep(rng.uniform(0, self._lasts_s))
            finally:
                clocks.step(node, 0)
                self._stage.note("put a clock right", node=victim, slots=slots)
                cluster.wait_whole()

    def heal(self) -> None:
        cluster = self._stage.cluster
        cluster.mend()
        for server in cluster.nodes.values():
            if clocks.has_clock(server):
                clocks.step(server, 0)


def nemeses(stage: Stage) -> list[Nemesis]:
    return [StepClock(stage)]

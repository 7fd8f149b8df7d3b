"""Nodes of the cluster that live, keep their role, and turn everybody away: their disk is full, they take no
more connections, or want another password than everybody has. One node, mostly a primary, or all."""

import random
import time
from dataclasses import dataclass

from chaos import ailments
from chaos.ailments import Ailment, ailing
from chaos.nemesis import Nemesis, Stage
from chaos.servers import JobServers


@dataclass
class Refuse:
    """In one way, for some seconds. `share`: how often it is all nodes at once."""

    stage: Stage
    name: str
    every_s: float
    ailment: Ailment
    branches: frozenset[str] = frozenset()
    share: float = 0.3
    longest_s: float = 4.0

    def strike(self, rng: random.Random) -> None:
        cluster: JobServers = self.stage.cluster
        with cluster.turn():
            view = cluster.view()
            among = cluster.primaries() if rng.random() < 0.75 else sorted(view)
            chosen = sorted(view) if rng.random() < self.share else [rng.choice(among)]
            for_s = rng.uniform(0.1, 1) * self.longest_s
            for ident in chosen:
                self.stage.note(self.name, node=ident, slots=view[ident].slots, for_s=round(for_s, 2))
            try:
                with ailing([cluster.nodes[ident] for ident in chosen], self.ailment):
                    time.sleep(for_s)
            finally:
                cluster.wait_whole()

    def heal(self) -> None:
        """A strike that has returned has put right what it did."""
        self.stage.cluster.mend()


def nemeses(stage: Stage) -> list[Nemesis]:
    return [
        # Of all at once no replica would be left: one that can't write down what comes to it ends itself.
        Refuse(stage, "fill a disk", 30.0, ailments.no_disk, frozenset({"misconf"}), share=0.0),
        # Whoever waits until it is over has nothing to log.
        Refuse(stage, "refuse connections", 30.0, ailments.no_connections),
        Refuse(stage, "change the password", 30.0, ailments.other_password),
    ]

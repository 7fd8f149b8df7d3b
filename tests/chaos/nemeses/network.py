"""Lines between a host and the servers that are cut, in one direction or both, or become slow."""

import random
import time

from chaos.nemesis import Lacking, Nemesis, NotNow, Stage

LENGTHS_S = ((0.5, 2.0), (2.0, 14.0), (16.0, 25.0))
"""A cut that a host sits out, one that is felt, and one in which its leases (15 s) end."""
WEIGHTS = (5, 2, 2)
KBIT_S = (256, 512, 1000)


class Lines:
    """`struck` are the hosts whose lines are not as they should be, by whichever of these."""

    every_s = 20.0
    branches = frozenset[str]()

    def __init__(self, stage: Stage, name: str, struck: set[int]) -> None:
        self._stage, self.name, self._struck = stage, name, struck

    def strike(self, rng: random.Random) -> None:
        lines = self._stage.network
        if lines is None or not self._stage.hosts:
            raise Lacking("hosts and servers are on one address")
        host = rng.randrange(len(self._stage.hosts))
        for_s = rng.uniform(*rng.choices(LENGTHS_S, WEIGHTS)[0])
        if host in self._struck:
            raise NotNow("the host's line is not whole")
        self._struck.add(host)
        try:
            self.hit(host, rng)
            self._stage.note(self.name, host=host, for_s=round(for_s, 2))
            time.sleep(for_s)
        finally:
            lines.mend(host)
            self._struck.discard(host)
            self._stage.note(f"{self.name}: over", host=host)

    def hit(self, host: int, rng: random.Random) -> None:
        """Do it."""
        raise NotImplementedError

    def heal(self) -> None:
        for host in list(self._struck):
            self._stage.network.mend(host)


class Cut(Lines):
    """Nothing comes through."""

    def hit(self, host: int, rng: random.Random) -> None:
        self._stage.network.cut(host)


class Deafen(Lines):
    """Replies are lost, requests are not."""

    def hit(self, host: int, rng: random.Random) -> None:
        self._stage.network.deafen(host)


class Slow(Lines):
    """All comes late."""

    def hit(self, host: int, rng: random.Random) -> None:
        self._stage.network.slow(host, rng.choice(KBIT_S))


def nemeses(stage: Stage) -> list[Nemesis]:
    struck: set[int] = set()
    return [
        Cut(stage, "cut a host off", struck),
        Deafen(stage, "deafen a host", struck),
        Slow(stage, "slow a host's line", struck),
    ]

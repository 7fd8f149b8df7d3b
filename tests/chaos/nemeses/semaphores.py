"""Servers for semaphores that die, fall silent, or come back having forgotten all. One of three may: the
limits go on. Two may not: nobody gets a permit until they are back, and no limit is broken."""

import random
import signal
import threading
import time

from chaos.nemesis import NotNow, Stage
from chaos.servers import restart
from support.server import Server

_turn = threading.Lock()


class Ail:
    """One server in one way, at times two."""

    branches = frozenset({"quorum lost"})
    longest_s = 4.0

    def __init__(self, stage: Stage, name: str, every_s: float, *, kills: bool, empty: bool = False) -> None:
        self._stage, self.name, self.every_s = stage, name, every_s
        self._kills, self._empty = kills, empty

    def strike(self, rng: random.Random, count: int | None = None) -> None:
        if not _turn.acquire(timeout=6.0):
            raise NotNow("another nemesis is at the servers for semaphores")
        try:
            servers = self._stage.semaphores.servers
            victims = rng.sample(servers, count or (2 if rng.random() < 0.3 else 1))
            for victim in victims:
                self._stage.note(self.name, server=servers.index(victim))
                victim.signal(signal.SIGKILL if self._kills else signal.SIGSTOP)
            try:
                time.sleep(rng.uniform(0.05, 1) * self.longest_s)
            finally:
                self._restore(victims)
        finally:
            _turn.release()

    def _restore(self, victims: list[Server]) -> None:
        for victim in victims:
            restart(victim, empty=self._empty)
            self._stage.note(f"{self.name}: over", server=self._stage.semaphores.servers.index(victim))

    def heal(self) -> None:
        for server in self._stage.semaphores.servers:
            restart(server)


def nemeses(stage: Stage) -> list[Ail]:
    return [
        Ail(stage, "kill a semaphore server", 25.0, kills=True),
        Ail(stage, "wipe a semaphore server", 40.0, kills=True, empty=True),
        Ail(stage, "silence a semaphore server", 25.0, kills=False),
    ]

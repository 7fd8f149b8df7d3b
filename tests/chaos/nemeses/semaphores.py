"""Servers for semaphores that die, fall silent or slow, turn everybody away, or come back having forgotten
something or all. One of three may: the limits go on. Two may not: nobody gets a permit until they are back,
and no limit is broken."""

import random
import threading
import time

from chaos import ailments
from chaos.ailments import Ailment, ailing
from chaos.nemesis import NotNow, Stage

_turn = threading.Lock()


class Ail:
    """One server in one way, at times two."""

    branches = frozenset({"quorum lost"})
    longest_s = 4.0

    def __init__(self, stage: Stage, name: str, every_s: float, ailment: Ailment) -> None:
        self._stage, self.name, self.every_s, self._ailment = stage, name, every_s, ailment

    def strike(self, rng: random.Random, count: int | None = None) -> None:
        if not _turn.acquire(timeout=6.0):
            raise NotNow("another nemesis is at the servers for semaphores")
        try:
            servers = self._stage.semaphores.servers
            victims = rng.sample(servers, count or (2 if rng.random() < 0.3 else 1))
            for victim in victims:
                self._stage.note(self.name, server=servers.index(victim))
            with ailing(victims, self._ailment):
                time.sleep(rng.uniform(0.05, 1) * self.longest_s)
            for victim in victims:
                self._stage.note(f"{self.name}: over", server=servers.index(victim))
        finally:
            _turn.release()

    def heal(self) -> None:
        self._stage.semaphores.mend()


def nemeses(stage: Stage) -> list[Ail]:
    def made(what: str, every_s: float, ailment: Ailment) -> Ail:
        return Ail(stage, f"{what} a semaphore server", every_s, ailment)

    return [
        made("kill", 25.0, ailments.dead),
        made("wipe", 40.0, ailments.wiped),
        made("empty", 40.0, ailments.emptied),
        made("tear the file of", 40.0, ailments.torn),
        made("silence", 25.0, ailments.silent),
        made("slow", 30.0, ailments.slow),
        made("make a replica of", 40.0, ailments.read_only),
        made("change the password of", 60.0, ailments.other_password),
        made("refuse connections at", 60.0, ailments.no_connections),
        made("fill the disk of", 60.0, ailments.no_disk),
        made("fill the memory of", 60.0, ailments.no_memory),
    ]

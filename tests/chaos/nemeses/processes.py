"""Harm to our own processes: killed, stopped for a while (some longer than a lease), reloaded, restarted.

Whatever a strike stops goes on before it returns, and whoever is killed is born again: workers and roles by
their master, masters and producers here, as an init system would.
"""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any

from chaos.kinds import BY_NAME
from chaos.nemesis import Lacking, Nemesis, NotNow, Stage
from support.server import wait_until

LEASE_S = 15.0
PATIENCE_S = 10.0


def nemeses(stage: Stage) -> list[Nemesis]:
    return [
        KillWorkers(stage),
        KillRole(stage, "coordinator", 40.0),
        KillRole(stage, "scheduler", 40.0),
        KillRole(stage, "template", 90.0),
        KillMaster(stage),
        KillProducer(stage),
        Stop(stage, "worker", 25.0, longest_s=6.0),
        Stop(stage, "coordinator", 60.0, longest_s=LEASE_S + 5),
        Stop(stage, "scheduler", 60.0, longest_s=8.0),
        Stop(stage, "master", 60.0, longest_s=8.0),
        Stop(stage, "producer", 60.0, longest_s=8.0),
        Freeze(stage),
        Reload(stage),
        Restart(stage),
        SpoolFull(stage),
    ]


class _Harm:
    """What they have in common."""

    name = ""
    every_s = 60.0
    branches: frozenset[str] = frozenset()

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def heal(self) -> None:
        """Most have healed when their strike returns."""

    def _host(self, rng: random.Random) -> Any:
        living = [host for host in self.stage.hosts if not host.ended and not host.held.is_set()]
        if not living:
            raise NotNow("no host lives that is nobody else's")
        return rng.choice(living)

    def _child(self, rng: random.Random, role: str) -> tuple[Any, int]:
        host = self._host(rng)
        found = host.children(role)
        if not found:
            raise NotNow(f"no {role} lives")
        return host, rng.choice(found)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError as error:
        raise NotNow("it had just gone") from error


class KillWorkers(_Harm):
    """One, or several within moments."""

    name = "kill a worker"
    every_s = 8.0
    branches = frozenset({"death settled"})

    def strike(self, rng: random.Random) -> None:
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            host, pid = self._child(rng, "worker")
            self.stage.note("kill", of=f"worker of {host.name}", killed=[pid])
            _signal(pid, signal.SIGKILL)
            time.sleep(rng.random() * 0.1)


class KillRole(_Harm):
    def __init__(self, stage: Stage, role: str, every_s: float) -> None:
        super().__init__(stage)
        self.name, self.role, self.every_s = f"kill the {role}", role, every_s
        self.branches = frozenset() if role == "template" else frozenset({"role died"})

    def strike(self, rng: random.Random) -> None:
        host, pid = self._child(rng, self.role)
        self.stage.note("kill", of=f"{self.role} of {host.name}", killed=[pid])
        _signal(pid, signal.SIGKILL)


class KillMaster(_Harm):
    """Its children end with it; some seconds later it is started again in the same directory."""

    name = "kill a master"
    every_s = 75.0
    branches = frozenset({"pages inherited", "leader won"})

    def strike(self, rng: random.Random) -> None:
        host = self._host(rng)
        host.held.set()
        self.stage.note("kill", of=f"master of {host.name}", killed=host.pids())
        host.process.kill()
        host.process.wait()
        time.sleep(rng.choice((0.1, 1.0, 6.0, LEASE_S + 6)))
        host.revive()

    def heal(self) -> None:
        for host in self.stage.hosts:
            host.revive()


class KillProducer(_Harm):
    name = "kill a producer"
    every_s = 120.0

    def strike(self, rng: random.Random) -> None:
        producer = rng.choice(list(self.stage.producers))
        if producer.ended:
            raise NotNow("it has ended")
        self.stage.note("kill", of=producer.name, killed=[producer.pid])
        producer.kill()
        time.sleep(rng.random() * 2)
        producer.start()


class Stop(_Harm):
    """A process stands still for seconds; one of a role may be replaced meanwhile."""

    def __init__(self, stage: Stage, role: str, every_s: float, *, longest_s: float) -> None:
        super().__init__(stage)
        self.name, self.role, self.every_s, self.longest_s = f"stop a {role}", role, every_s, longest_s
        self._stopped = 0

    def strike(self, rng: random.Random) -> None:
        name, self._stopped = self._victim(rng)
        for_s = rng.uniform(0.5, self.longest_s)
        self.stage.note("stop", of=name, pid=self._stopped, for_s=round(for_s, 2))
        _signal(self._stopped, signal.SIGSTOP)
        time.sleep(for_s)
        self.heal()

    def _victim(self, rng: random.Random) -> tuple[str, int]:
        if self.role == "producer":
            living = [one for one in self.stage.producers if not one.ended]
            if not living:
                raise NotNow("no producer lives")
            producer = rng.choice(living)
            return producer.name, producer.pid
        if self.role == "master":
            host = self._host(rng)
            return f"master of {host.name}", host.process.pid
        host, pid = self._child(rng, self.role)
        return f"{self.role} of {host.name}", pid

    def heal(self) -> None:
        if self._stopped:
            _go_on([self._stopped])
            self._stopped = 0


class Freeze(_Harm):
    """All of a host stands still, as in a suspended machine: for moments, or for longer than a lease.
    It begins in the middle of a job that takes seconds, and meanwhile the others here leave it alone, so that
    it wakes up there."""

    name = "freeze a host"
    every_s = 90.0
    branches = frozenset({"lease reclaim", "stale settle"})

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._host_held: Any = None
        self._frozen: list[int] = []
        self._lengths = cycle((LEASE_S + 8, 2.0, LEASE_S + 15))

    def strike(self, rng: random.Random) -> None:
        host = self._host_held = self._host(rng)
        host.held.set()
        with suppress(AssertionError):  # then it begins anywhere
            wait_until(lambda: host.is_at(BY_NAME["lingers"].code), within_s=PATIENCE_S, what="a long job")
        self._frozen, for_s = host.pids(), next(self._lengths)
        self.stage.note("stop", of=f"all of {host.name}", pids=self._frozen, for_s=for_s)
        for pid in self._frozen:
            try:
                os.kill(pid, signal.SIGSTOP)
            except ProcessLookupError:
                continue
        time.sleep(for_s)
        self.heal()

    def heal(self) -> None:
        _go_on(self._frozen)
        self._frozen = []
        if self._host_held is not None:
            self._host_held.held.clear()
            self._host_held = None


def _go_on(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            continue


class Reload(_Harm):
    name = "reload (HUP)"
    every_s = 70.0
    branches = frozenset({"reload"})

    def strike(self, rng: random.Random) -> None:
        host = self._host(rng)
        self.stage.note("reload", of=host.name)
        host.signal(signal.SIGHUP)


class Restart(_Harm):
    """TERM, the drain, and a new start."""

    name = "restart a host (TERM)"
    every_s = 140.0

    def strike(self, rng: random.Random) -> None:
        host = self._host(rng)
        host.held.set()
        self.stage.note("restart", of=host.name)
        host.signal(signal.SIGTERM)
        try:
            host.wait(45)
        except subprocess.TimeoutExpired:
            self.stage.note("kill", of=f"master of {host.name}, which did not drain", killed=host.pids())
            host.crash()
        host.revive()

    def heal(self) -> None:
        for host in self.stage.hosts:
            host.revive()


class SpoolFull(_Harm):
    """Workers die while nothing can be written into the spool of deaths: a file system of one page lies over
    it."""

    name = "spool full"
    every_s = 200.0
    branches = frozenset({"spool trouble"})

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._over: list[Path] = []

    def strike(self, rng: random.Random) -> None:
        if os.geteuid() != 0:
            raise Lacking("only root may mount a file system")
        host, _ = self._child(rng, "worker")
        spool = host.root / ".ganger/run/deaths"
        if not spool.is_dir():
            raise NotNow("the host has no spool yet")
        words = ["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=16", "ganger-chaos", str(spool)]
        if subprocess.run(words, capture_output=True).returncode != 0:
            raise Lacking("a file system can't be mounted here")
        self._over.append(spool)
        try:
            with suppress(OSError):  # no space left, at the latest now
                (spool / "filling").write_bytes(b"x" * 4096)
            self.stage.note("spool full", of=host.name)
            for pid in rng.sample(found := host.children("worker"), min(2, len(found))):
                self.stage.note("kill", of=f"worker of {host.name}", killed=[pid])
                _signal(pid, signal.SIGKILL)
                time.sleep(0.5)
        finally:
            self.heal()

    def heal(self) -> None:
        while self._over:
            subprocess.run(["umount", "-l", str(self._over.pop())], capture_output=True)

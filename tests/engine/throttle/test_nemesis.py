"""Fifty holders contend on three real servers that are killed, paused, emptied and cut off at random, and so
are they: no more than the limit ever hold a valid permit, by their own clocks.

GANGER_NEMESIS_S=60 runs each limit for so long; without it all of them run together for some seconds.
"""

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import support.permit_holders
from ganger.clock import boottime_s
from support.cuts import Cables
from support.servers import free_port
from support.throttles import ThrottleServers
from support.waiting import until

LONG_S = float(os.environ.get("GANGER_NEMESIS_S", "0"))
PROCESSES, HOLDERS = 5, 10
TTL_MS = 1000
LIMITS = [1, 2, 3, 10]


class Stage:
    """Servers, holders, and a cable from each process of holders to each server."""

    def __init__(self, directory: Path, limits: list[int]) -> None:
        self.directory = directory
        self.limits = limits
        self.servers = ThrottleServers()
        self.cables = Cables()
        self.ports: list[list[int]] = []
        self.holders: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Stage":
        self.servers.__enter__()
        # Ports in the order of the servers: whose order everybody must agree on.
        drawn: set[int] = set()
        while len(drawn) < PROCESSES * 3:
            drawn.add(free_port())
        ports = sorted(drawn)
        self.ports = [
            [ports[server * PROCESSES + number] for server in range(3)] for number in range(PROCESSES)
        ]
        for number in range(PROCESSES):
            for server in range(3):
                self.cables.lay(self.ports[number][server], self.servers.all[server].server.port)
            self.holders.append(self._holders(number))
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.holders:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        self.cables.close()
        self.servers.__exit__(None, None, None)

    def _holders(self, number: int) -> subprocess.Popen[bytes]:
        account = self.servers.urls[0].rpartition("@")[0]
        settings = {
            "urls": [f"{account}@127.0.0.1:{port}" for port in self.ports[number]],
            "limits": self.limits,
            "ttl_ms": TTL_MS,
            "holders": HOLDERS,
            "seed": number,
            "directory": str(self.directory),
        }
        command = [sys.executable, support.permit_holders.__file__, json.dumps(settings)]
        return subprocess.Popen(command, stdin=subprocess.PIPE)

    def leave(self) -> None:
        """All holders end as they please."""
        for process in self.holders:
            assert process.stdin is not None
            process.stdin.close()
        for process in self.holders:
            process.wait(60)

    def of(self, limit: int, since_ms: float = 0, before_ms: float = math.inf) -> list[tuple[float, float]]:
        """(from, to) of each permit of this limit that anybody had, and that began then."""
        found = []
        for log in self.directory.glob("*.log"):
            for line in log.read_text().splitlines():
                its_limit, _, began, ended = line.split()
                if int(its_limit) == limit and since_ms <= float(began) < before_ms:
                    found.append((float(began), float(ended)))
        return found


def most_at_once(permits: list[tuple[float, float]]) -> int:
    steps = sorted(
        [(began, 1) for began, ended in permits if ended > began] + [(e, -1) for b, e in permits if e > b]
    )
    now = most = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


class Nemesis:
    """One mishap at a time begins; some last while the next comes."""

    def __init__(self, stage: Stage, rng: random.Random) -> None:
        self.stage = stage
        self.rng = rng
        self.done: Counter[str] = Counter()
        self.repairs: list[tuple[float, int, object]] = []

    def run(self, until_s: float) -> None:
        while (now_s := boottime_s()) < until_s:
            self.mishap(now_s)
            time.sleep(self.rng.random() * TTL_MS / 2000)
            for due_s, _, repair in [each for each in self.repairs if each[0] <= boottime_s()]:
                repair()  # type: ignore[operator]
                self.repairs = [each for each in self.repairs if each[0] != due_s]
        for _, _, repair in self.repairs:
            repair()  # type: ignore[operator]
        self.repairs = []

    def mishap(self, now_s: float) -> None:
        rng, servers = self.rng, self.stage.servers.all
        number = rng.randrange(3)
        due_s = now_s + rng.random() * 2 * TTL_MS / 1000
        match rng.choice(("restart", "pause", "pause", "cut", "cut", "cut", "freeze", "freeze")):
            case "restart":
                server = servers[number].server
                server.signal(signal.SIGCONT)
                server.signal(signal.SIGKILL)
                server.start()
                self.done["restarted empty"] += 1
            case "pause":
                server = servers[number].server
                server.signal(signal.SIGSTOP)
                self.repairs.append((due_s, number, lambda: server.signal(signal.SIGCONT)))
                self.done["paused"] += 1
            case "cut":
                port = rng.choice(self.stage.ports)[number]
                self.stage.cables.cut(port)
                self.repairs.append((due_s, port, lambda: self.stage.cables.mend(port)))
                self.done["cut off"] += 1
            case _:
                holder = rng.choice(self.stage.holders)
                holder.send_signal(signal.SIGSTOP)
                self.repairs.append((due_s, holder.pid, lambda: holder.send_signal(signal.SIGCONT)))
                self.done["holders frozen"] += 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize("limits", [[limit] for limit in LIMITS] if LONG_S else [LIMITS], ids=str)
def test_no_more_than_the_limit_whatever_happens(tmp_path: Path, limits: list[int]) -> None:
    with Stage(tmp_path, limits) as stage:
        until(lambda: all(most_at_once(stage.of(limit)) == limit for limit in limits), "all is used", 60)
        storm_ms = boottime_s() * 1000
        nemesis = Nemesis(stage, random.Random(os.environ.get("GANGER_NEMESIS_SEED", "4")))
        nemesis.run(boottime_s() + (LONG_S or 6.0))
        over_ms = boottime_s() * 1000
        until(lambda: all(stage.of(limit, over_ms) for limit in limits), "permits are granted after it", 60)
        stage.leave()
    for limit in limits:
        of, in_storm = stage.of(limit), stage.of(limit, storm_ms, over_ms)
        print(f"limit {limit}: {most_at_once(of)} at once, {len(of)} permits, {len(in_storm)} in the storm")
        assert most_at_once(of) == limit
    print(dict(nemesis.done))

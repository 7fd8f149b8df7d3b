"""One round: jobs pushed while the host rests, then the time from its waking until they are done.

So neither the supervisor's start nor the push is in the figure, and things can be measured in turns under one
supervisor."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import GangerError
from ganger.keys import Partition
from gangerd.bench.stage import Host, Stage, wait_for

_MOST = 0.97
"""The rest is the tail, in which one worker has jobs and the other has none."""
_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Round:
    """`cpu_us`: what each job cost each role, and `servers` (nothing where they are not ours)."""

    jobs: int
    took_s: float
    push_s: float
    cpu_us: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.jobs / self.took_s

    @property
    def push_rate(self) -> float:
        return self.jobs / self.push_s

    @property
    def all_cpu_us(self) -> float:
        return sum(self.cpu_us.values())


def succeeded(cluster: Cluster, places: Sequence[Partition]) -> int:
    replies = cluster.run_many([Command(place.slot, ("HGET", place.meta, "succeeded")) for place in places])
    for reply in replies:
        if isinstance(reply, GangerError):
            raise reply
    return sum(int(reply or 0) for reply in replies)


def play(
    stage: Stage,
    host: Host,
    places: Sequence[Partition],
    jobs: int,
    push: Callable[[], object],
    *,
    most: float = _MOST,
    over: Callable[[], object] = lambda: True,
) -> Round:
    """`push` brings `jobs` jobs into `places`. The time is that until `most` of them are done; the CPU is
    counted to the end, which has come when `over` says so, too."""
    host.rest()
    stage.pushing()
    before = succeeded(stage.cluster, places)
    began_s = time.perf_counter()
    push()
    push_s = time.perf_counter() - began_s
    used, servers_s = host.cpu(), stage.servers_cpu_s()
    pause_s = 0.002 + len(places) * 2e-5
    began_s = time.perf_counter()
    host.go()
    wanted = before + int(jobs * most)
    wait_for(lambda: succeeded(stage.cluster, places) >= wanted, _LIMIT_S, "the jobs to be done", pause_s)
    done, took_s = succeeded(stage.cluster, places) - before, time.perf_counter() - began_s
    wait_for(
        lambda: succeeded(stage.cluster, places) - before >= jobs and over(), 60, "the last jobs", pause_s * 4
    )
    cpu_us = _spent(used, host.cpu(), jobs)
    if stage.servers:
        cpu_us["servers"] = (stage.servers_cpu_s() - servers_s) * 1e6 / jobs
    return Round(done, took_s, push_s * done / jobs, cpu_us)


def _spent(
    before: dict[int, tuple[str, float]], after: dict[int, tuple[str, float]], jobs: int
) -> dict[str, float]:
    spent: dict[str, float] = {}
    for pid, (role, cpu_s) in after.items():
        spent[role] = spent.get(role, 0.0) + (cpu_s - before.get(pid, (role, 0.0))[1]) * 1e6 / jobs
    return spent

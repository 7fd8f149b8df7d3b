"""What a job costs, counted and not timed: trips, commands in the server, calls of Python functions, memory.
It fails when one of them grows; when one shrinks, lower it in the table below.

The worker's own parts on a real server (support/worker_bench.py), jobs claimed 64 at a time: how long they
take is said beforehand, so that no clock decides how many a claim brings."""

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pytest

from ganger import job
from ganger.cluster import Cluster
from ganger.command import Command
from support.servers import ClusterServers
from support.worker_bench import Bench

JOBS = 640


@dataclass(frozen=True, slots=True)
class Cost:
    """Of JOBS jobs, from the first claim until all is settled and an empty claim has said so."""

    trips: int
    scripts: int
    commands: int
    """That scripts call in the server."""
    calls: float
    """Of Python functions in the worker, by job. Half a call is left for what a trip does once."""
    held_bytes: int
    """The most that was held at a time beyond what was there before, by job of a batch of 64. With a
    margin of a fifth: some of it is the interpreter's, and of whatever else this process has run."""


COSTS = {
    "plain": Cost(trips=12, scripts=23, commands=236, calls=30.9, held_bytes=1600),
    "tracked": Cost(trips=1291, scripts=651, commands=5979, calls=63.6, held_bytes=1750),
    "unique": Cost(trips=12, scripts=23, commands=2850, calls=31.9, held_bytes=1850),
    "failing": Cost(trips=651, scripts=651, commands=7859, calls=252.6, held_bytes=3300),
}


@job(name="cost.plain", queue="q")
def plain(number: int) -> None:
    pass


@job(name="cost.tracked", queue="q", track=60)
def tracked(number: int) -> int:
    return number


@job(name="cost.unique", queue="q", unique_for=3600)
def unique(number: int) -> None:
    pass


@job(name="cost.failing", queue="q", retry=3, backoff=3600)
def failing(number: int) -> None:
    raise ValueError("as it is meant to")


class Counting(Cluster):
    """A transport that counts its round trips."""

    trips = 0

    def run(self, command: Command, **how: Any) -> Any:
        before = self.trips
        try:
            return super().run(command, **how)
        finally:
            self.trips = before + 1

    def run_many(self, commands: Sequence[Command], **how: Any) -> list[Any]:
        self.trips += 1
        return super().run_many(commands, **how)


class Steady(Bench):
    """A worker that knows beforehand that each job takes 5 us, and learns nothing else."""

    def __init__(self, servers: ClusterServers, cluster: Counting) -> None:
        super().__init__(servers, cluster)
        self.counting = cluster
        for kind in COSTS:
            self.costs.ran(f"cost.{kind}", 5)
        self.costs.ran = lambda job_type, ran_us: None  # type: ignore[method-assign]

    def push(self, kind: str, first: int, count: int) -> None:
        self.client.push_many(f"cost.{kind}", [(first + number,) for number in range(count)])

    def work(self) -> None:
        """Until a claim brings nothing, and all is settled."""
        while count := self.trip():
            for index in range(count):
                self.performer.perform(index)
        self.fetch.settle()

    def server(self) -> Any:
        return self.servers.nodes[self.servers.index_of(self.partition.slot)]


@pytest.fixture
def worker(cluster_servers: ClusterServers) -> Iterator[Steady]:
    cluster = Counting(cluster_servers.settings())
    one = Steady(cluster_servers, cluster)
    yield one
    one.client.close()
    cluster.close()


@pytest.mark.parametrize("kind", COSTS)
def test_no_cost_of_a_job_grows(worker: Steady, kind: str) -> None:
    # Jobs of this kind alone: one with a label makes its partition careful for all. Scripts, plans and caches
    # are there afterwards.
    worker.push(kind, 0, 64)
    worker.work()
    worker.push(kind, 1_000, JOBS)
    worker.server().call("CONFIG", "RESETSTAT")
    worker.counting.trips = 0
    calls = counted(worker.work)
    commands = worker.server().call("INFO", "commandstats")
    scripts = sum(one["calls"] for name, one in commands.items() if name.startswith("cmdstat_eval"))
    inner = sum(one["calls"] for name, one in commands.items() if not name.startswith(OUTSIDE))
    trips = worker.counting.trips
    worker.push(kind, 2_000, JOBS)
    held = peak_bytes(worker.work)
    found = Cost(trips, scripts, inner, round(calls / JOBS, 1), held // 64)
    most = COSTS[kind]
    grown = {
        name: (getattr(found, name), getattr(most, name))
        for name in Cost.__dataclass_fields__
        if getattr(found, name) > getattr(most, name)
    }
    assert not grown, found


OUTSIDE = ("cmdstat_eval", "cmdstat_config", "cmdstat_info")


def counted(act: Callable[[], object]) -> int:
    """How many Python functions it calls."""
    calls = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return calls


def peak_bytes(act: Callable[[], object]) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_hot_loop_leaves_no_memory_behind(worker: Steady) -> None:
    """Blocks of Python's allocator before and after so many jobs, caches being full: one a job would show,
    and not what other tests of this process have left running."""
    for first in (1_000, 2_000):
        worker.push("plain", first, JOBS)
        worker.work()
    gc.collect()
    before = sys.getallocatedblocks()
    worker.push("plain", 3_000, JOBS)
    worker.work()
    gc.collect()
    assert sys.getallocatedblocks() - before < JOBS // 2

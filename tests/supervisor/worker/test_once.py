"""once() in a worker: a job that meets another's block comes back, and its timeout reaches the block."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from ganger import job, once
from ganger.client import set_default_client
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.keys import OnceMark
from ganger.operations import find, schedule
from gangerd.linux.signals import SOFT_TIMEOUT_SIGNAL
from support.servers import ClusterServers
from support.worker_bench import Bench

charged: list[str] = []


@pytest.fixture
def bench(cluster_servers: ClusterServers, cluster: Cluster) -> Iterator[Bench]:
    charged.clear()
    one = Bench(cluster_servers, cluster)
    set_default_client(one.client)
    yield one
    set_default_client(None)
    one.client.close()


@job(name="o.charge", queue="q", retry=0)
def charge(card: str) -> None:
    with once(f"charge:{card}", ttl=60) as step:
        if step.first:
            charged.append(card)


@job(name="o.stuck", queue="q", retry=0, dead=True, timeout=0.01, grace=60)
def stuck() -> None:
    once("stuck", 60, run)


def run() -> None:
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        os.kill(os.getpid(), SOFT_TIMEOUT_SIGNAL)


def test_a_job_that_meets_another_s_block_comes_back_with_no_attempt_used(bench: Bench) -> None:
    elsewhere = once("charge:42", 60)
    elsewhere.__enter__()
    jid = bench.client.push("o.charge", ["42"], queue="q")
    bench.run_all()
    found = find.find(bench.cluster, bench.partition, jid)
    assert found is not None
    assert (charged, found.record.state.attempts) == ([], 0)
    assert found.record.state.failures[-1].error == "StillPending"
    assert found.due_at_ms is not None
    assert found.due_at_ms - time.time() * 1000 < 15_000
    mark = OnceMark("ganger", "charge:42")
    bench.cluster.run(Command(mark.slot, ("HSET", mark.mark, "until", "1")))
    bench.cluster.run(Command(bench.partition.slot, ("ZADD", bench.partition.later, 1, jid)))
    schedule.promote(bench.cluster, bench.partition)
    bench.run_all()
    assert charged == ["42"]
    assert bench.look().counters["succeeded"] == 1


def test_a_job_s_timeout_reaches_a_block_that_once_runs(bench: Bench) -> None:
    before = signal.signal(SOFT_TIMEOUT_SIGNAL, bench.performer.soft.knock)
    try:
        jid = bench.client.push("o.stuck", queue="q")
        bench.run_all()
    finally:
        signal.signal(SOFT_TIMEOUT_SIGNAL, before)
    found = find.find(bench.cluster, bench.partition, jid)
    assert found is not None
    assert found.record.state.failures[-1].cause == "timeout"

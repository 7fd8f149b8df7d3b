"""Handlers that are async def, performed by a worker: their loop, their context, their ends."""

import asyncio
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from ganger import current, job
from ganger.cluster import Cluster
from ganger.job import FailureRecord
from ganger.operations import find
from support.servers import ClusterServers
from support.worker_bench import Bench

ran: list[Any] = []
tasks: list[Any] = []
tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


@pytest.fixture
def bench(cluster_servers: ClusterServers, cluster: Cluster) -> Iterator[Bench]:
    ran.clear()
    one = Bench(cluster_servers, cluster)
    yield one
    one.client.close()


@job(name="a.note", queue="q")
async def note(value: int) -> None:
    await asyncio.sleep(0)
    ran.append((value, current().type, id(asyncio.get_running_loop())))


@job(name="a.fail", queue="q", retry=0, dead=True)
async def fail() -> None:
    await asyncio.sleep(0)
    raise LookupError("no such mailbox")


@job(name="a.slow", queue="q", timeout=0.05, grace=60, retry=0, dead=True)
async def slow() -> None:
    try:
        await asyncio.sleep(3600)
    finally:
        ran.append("cleaned up")


@job(name="a.leak", queue="q")
async def leak() -> None:
    ran.append(tenant.get())
    tenant.set("somebody")


@job(name="a.leak_plain", queue="q")
def leak_plain() -> None:
    ran.append(tenant.get())
    tenant.set("somebody")


@job(name="a.leaves", queue="q")
async def leaves() -> None:
    async def beside() -> None:
        await asyncio.sleep(0)
        ran.append("beside")

    tasks.append(asyncio.create_task(beside()))


def record(bench: Bench, jid: str) -> FailureRecord:
    found = find.find(bench.cluster, bench.partition, jid)
    assert found is not None
    return found.record.state.failures[-1]


def test_jobs_share_one_loop_and_succeed(bench: Bench) -> None:
    bench.client.push_many("a.note", [(n,) for n in range(20)], queue="q")
    bench.run_all()
    assert sorted(value for value, _, _ in ran) == list(range(20))
    assert {kind for _, kind, _ in ran} == {"a.note"}
    assert len({loop for _, _, loop in ran}) == 1, "so that pools and sessions may outlive a job"
    assert bench.look().counters["succeeded"] == 20


def test_an_exception_is_told_with_the_handler_s_own_frames(bench: Bench) -> None:
    jid = bench.client.push("a.fail", queue="q")
    bench.run_all()
    found = record(bench, jid)
    assert (found.cause, found.error, found.message) == ("exception", "LookupError", "no such mailbox")
    assert 'raise LookupError("no such mailbox")' in found.stack
    assert "gangerd" not in found.stack and "asyncio" not in found.stack


def test_the_soft_timeout_is_a_cancellation_in_the_handler(bench: Bench) -> None:
    jid = bench.client.push("a.slow", queue="q")
    bench.client.push("a.note", [1], queue="q")
    bench.run_all()
    assert (record(bench, jid).cause, record(bench, jid).error) == ("timeout", "JobTimeout")
    assert ran[0] == "cleaned up"
    assert ran[1][:2] == (1, "a.note"), "the loop is as good as before"


@pytest.mark.parametrize("kind", ["a.leak", "a.leak_plain"])
def test_what_a_job_sets_of_contextvars_ends_with_it(bench: Bench, kind: str) -> None:
    for _ in range(3):
        bench.client.push(kind, queue="q")
    bench.run_all()
    assert ran == ["nobody"] * 3
    assert tenant.get() == "nobody"


def test_a_task_left_behind_runs_on_beside_later_jobs(bench: Bench) -> None:
    bench.client.push("a.leaves", queue="q")
    bench.run_all()
    assert ran == []
    bench.client.push("a.note", [1], queue="q")
    bench.run_all()
    assert "beside" in ran

"""A worker's trips and attempts on real servers: what the page shows and what Redis holds at each step."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ganger import actor, current, job
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import claim, find, schedule
from gangerd.linux.signals import SOFT_TIMEOUT_SIGNAL
from gangerd.page import Page
from gangerd.recorder import Counter, EntryState
from gangerd.worker.sight import Target
from support.servers import ClusterServers
from support.worker_bench import HOST, ME, Bench

ran: list[Any] = []


@pytest.fixture
def bench(cluster_servers: ClusterServers, cluster: Cluster) -> Iterator[Bench]:
    ran.clear()
    one = Bench(cluster_servers, cluster)
    yield one
    one.client.close()


@job(name="w.note", queue="q")
def note(value: Any = None) -> None:
    ran.append(value)


@job(name="w.fail", queue="q", retry=1, backoff=60, dead=True)
def fail(message: str) -> None:
    raise ValueError(message)


@job(name="w.leave", queue="q", retry=0)
def leave() -> None:
    raise SystemExit(3)


@job(name="w.typed", queue="q", retry=0, dead=True)
def typed(number: int) -> None:
    ran.append(number)


@job(name="w.sleepy", queue="q", timeout=0.05, grace=60, retry=0, dead=True)
async def sleepy() -> None:
    await asyncio.sleep(3600)


@job(name="w.busy", queue="q", timeout=0.01, grace=60, retry=0, dead=True)
def busy() -> None:
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        os.kill(os.getpid(), SOFT_TIMEOUT_SIGNAL)


@job(name="w.who", queue="q")
def who() -> None:
    ran.append((current().jid, current().attempt, current().type, current().queue))


@job(name="w.begun", queue="q", unique_for=60, unique_until="start")
def begun(n: int) -> None:
    ran.append(current().jid)


@job(name="w.stubborn", queue="q", unique_for=60, retry=1, backoff=60)
def stubborn() -> None:
    raise ValueError("no")


@job(name="w.forks", queue="q")
def forks() -> None:
    child = os.fork()
    ran.append(child)
    if child:
        os.waitpid(child, 0)


def test_an_unknown_type_is_claimed_alone_and_a_known_one_in_batches(bench: Bench) -> None:
    bench.client.push_many("w.note", [(n,) for n in range(100)], queue="q")
    assert bench.trip() == 1
    bench.performer.perform(0)
    assert bench.trip() > 1


def test_everything_pushed_runs_once_and_leaves_nothing(bench: Bench) -> None:
    bench.client.push_many("w.note", [(n,) for n in range(300)], queue="q")
    bench.run_all()
    assert sorted(ran) == list(range(300))
    seen = bench.look()
    assert (seen.ready, seen.in_flight, seen.later, seen.dead) == (0, 0, 0, 0)
    assert seen.counters["succeeded"] == 300
    counters = bench.page.counters
    assert (counters[Counter.STARTED], counters[Counter.SUCCEEDED]) == (300, 300)
    assert sum(counters[Counter.RUN_US : Counter.RUN_US + 32]) == 300
    assert sum(counters[Counter.WAIT_US : Counter.WAIT_US + 32]) == 300


def test_a_success_stands_on_the_page_until_it_is_settled(bench: Bench) -> None:
    bench.client.push("w.note", [1], queue="q")
    bench.trip()
    bench.performer.perform(0)
    assert Page(bench.page.bytes).snapshot().states == [EntryState.DONE]
    assert bench.look().in_flight == 1
    bench.fetch.settle()
    assert Page(bench.page.bytes).snapshot().states == [EntryState.GONE]
    assert bench.look().in_flight == 0


def test_a_failure_is_reported_at_once_and_keeps_the_rest_of_the_batch(bench: Bench) -> None:
    bench.client.push("w.fail", ["no such mailbox"], queue="q")
    bench.trip()
    bench.performer.perform(0)
    seen = bench.look()
    assert (seen.in_flight, seen.later, seen.counters["retried"]) == (0, 1, 1)
    assert Page(bench.page.bytes).snapshot().states == [EntryState.GONE]


def test_the_failure_tells_class_text_and_stack(bench: Bench) -> None:
    jid = bench.client.push("w.fail", ["no such mailbox"], queue="q")
    bench.run_all()
    found = find.find(bench.cluster, bench.partition, jid)
    assert found is not None
    (record,) = found.record.state.failures
    assert (record.cause, record.error, record.message) == ("exception", "ValueError", "no such mailbox")
    assert "raise ValueError(message)" in record.stack
    assert "gangerd" not in record.stack, "a traceback begins with the handler"


@pytest.mark.parametrize(
    ("kind", "args", "cause"),
    [
        ("w.nobody", [], "unknown_type"),
        ("w.typed", ["twelve"], "bad_arguments"),
        ("w.typed", [], "bad_arguments"),
        ("w.sleepy", [], "timeout"),
        ("w.busy", [], "timeout"),
    ],
)
def test_each_failure_has_its_own_cause(bench: Bench, kind: str, args: list[Any], cause: str) -> None:
    before = signal.signal(SOFT_TIMEOUT_SIGNAL, bench.performer.soft.knock)
    try:
        jid = bench.client.push(kind, args, queue="q")
        bench.run_all()
    finally:
        signal.signal(SOFT_TIMEOUT_SIGNAL, before)
    found = find.find(bench.cluster, bench.partition, jid)
    assert found is not None
    assert found.record.state.failures[-1].cause == cause


def test_sys_exit_in_a_handler_fails_the_job_and_not_the_worker(bench: Bench) -> None:
    bench.client.push("w.leave", queue="q")
    bench.client.push("w.note", [1], queue="q")
    bench.run_all()
    assert ran == [1]
    assert bench.look().counters["exhausted"] == 1


def test_a_handler_knows_its_job(bench: Bench) -> None:
    jid = bench.client.push("w.who", queue="q")
    bench.run_all()
    assert ran == [(jid, 1, "w.who", "q")]


def test_an_expired_job_is_counted_and_does_not_run(bench: Bench) -> None:
    bench.client.push("w.note", [1], queue="q", expires_in=0.001)
    deadline_s = time.monotonic() + 0.01
    while time.monotonic() < deadline_s:
        pass
    bench.run_all()
    assert ran == []
    assert bench.look().counters["expired"] == 1


def test_a_host_s_own_clock_lets_no_job_expire(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node that hands it out has decided; a host that is an hour ahead would drop what is due."""
    bench.client.push("w.note", [1], queue="q", expires_in=60)
    assert bench.trip() == 1
    ahead_ns = time.time_ns() + 3_600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: ahead_ns)
    bench.performer.perform(0)
    assert ran == [1]


def test_a_job_unique_until_its_start_gives_its_lock_up_when_it_begins(bench: Bench) -> None:
    first = begun.options().push_with(bench.client, 1)
    assert begun.options().push_with(bench.client, 1) == first
    bench.trip()
    assert begun.options().push_with(bench.client, 1) == first, "claimed is not begun"
    bench.performer.perform(0)
    second = begun.options().push_with(bench.client, 1)
    assert second != first
    bench.fetch.settle()
    assert begun.options().push_with(bench.client, 1) == second, "the end of the first frees no lock of its"
    bench.run_all()
    assert ran == [first, second]


def test_a_unique_job_holds_its_lock_through_a_retry_and_frees_it_at_its_end(bench: Bench) -> None:
    first = stubborn.options().push_with(bench.client)
    bench.run_all()
    assert bench.look().later == 1
    assert stubborn.options().push_with(bench.client) == first
    bench.cluster.run(Command(bench.partition.slot, ("ZADD", bench.partition.later, 1, first)))
    schedule.promote(bench.cluster, bench.partition)
    bench.run_all()
    assert bench.look().counters["exhausted"] == 1
    assert stubborn.options().push_with(bench.client) != first


def test_an_entry_taken_back_by_the_host_does_not_run(bench: Bench) -> None:
    bench.client.push_many("w.note", [(n,) for n in range(20)], queue="q")
    bench.trip()
    bench.performer.perform(0)
    count = bench.trip()
    taken = Page(bench.page.bytes).take_back()
    assert len(taken) == count
    for index in range(count):
        bench.performer.perform(index)
    assert len(ran) == 1


def test_the_child_of_a_handler_never_comes_back_into_the_loop(bench: Bench) -> None:
    bench.client.push("w.forks", queue="q")
    bench.client.push_many("w.note", [(n,) for n in range(5)], queue="q")
    bench.run_all()
    assert sorted(ran[1:]) == list(range(5))
    assert bench.look().counters["succeeded"] == 6


def test_garbage_in_the_stream_is_set_aside_and_the_rest_runs(bench: Bench) -> None:
    bench.client.push("w.note", [1], queue="q")
    ready = bench.partition.ready[4]
    bench.cluster.run(Command(bench.partition.slot, ("XADD", ready, "*", "what", "\xff\xfe")))
    bench.client.push("w.note", [2], queue="q")
    bench.run_all()
    assert sorted(ran) == [1, 2]
    assert bench.look().dead == 1


def test_a_claim_whose_outcome_is_unknown_is_closed_and_its_jobs_are_not_lost(bench: Bench) -> None:
    """The reply never came, though the script ran: what it took comes back before the next claim there."""
    bench.client.push_many("w.note", [(n,) for n in range(5)], queue="q")
    lost = claim.command(bench.partition, HOST, ME, 1, 50_000, 64, 1 << 20, {"w.note": 1})
    bench.cluster.run(lost)
    bench.fetch._op, bench.fetch._unknown = 1, {0: (bench.partition, 1)}
    assert bench.look().in_flight == 5
    bench.fetch.recall()
    bench.run_all()
    assert sorted(ran) == list(range(5))
    assert bench.look().counters["released"] == 5


def test_what_could_not_be_settled_is_carried_to_the_next_trip(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.client.push_many("w.note", [(n,) for n in range(3)], queue="q")
    assert bench.trip() == 1
    bench.performer.perform(0)
    kept = list(bench.hand.done)
    bench.fetch._settled([[entry for _, entry in kept]], [ConnectionError()])
    assert bench.hand.done == kept
    bench.run_all()
    assert sorted(ran) == [0, 1, 2]
    assert bench.look().counters["succeeded"] == 3


def test_the_registry_names_what_this_file_defines() -> None:
    assert {"w.note", "w.fail", "w.sleepy"} <= set(actor.registered())


def test_a_target_keeps_the_signal_that_sent_us(bench: Bench) -> None:
    bench.board.signal(0, 5)
    target = bench.sight.next()
    assert target == Target(0, bench.partition, bench.board.signals[0])


def test_a_patrol_finds_work_that_the_board_does_not_show(bench: Bench) -> None:
    bench.client.push("w.note", [1], queue="q")
    assert bench.sight.next() is None
    (target,) = bench.sight.patrol(24)
    assert len(bench.fetch.trip(target, bench.sight, bench.costs)) == 1

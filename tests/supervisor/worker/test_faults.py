"""What may not end a worker, orphan an entry or put the blame on the wrong thing: a worker's parts on real
servers."""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ganger import job
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import JobTimeout, NodeDown, OutcomeUnknown
from ganger.jid import mint
from ganger.job import BLANK, Entry, FailureRecord
from ganger.keys import partitions
from ganger.operations import claim, find, recover
from gangerd.linux.shared_memory import lock_byte
from gangerd.linux.signals import SOFT_TIMEOUT_SIGNAL
from gangerd.master.deadlines import Due, judge, look
from gangerd.page import Page
from gangerd.recorder import EntryState, Word, page_offset
from gangerd.worker.overdue import SoftTimeout, call_handler
from gangerd.worker.report import describe
from support.children import child, hang, readable
from support.servers import ClusterServers
from support.waiting import until
from support.worker_bench import HOST, ME, Bench

ran: list[Any] = []


@pytest.fixture
def bench(cluster_servers: ClusterServers, cluster: Cluster) -> Iterator[Bench]:
    ran.clear()
    one = Bench(cluster_servers, cluster)
    yield one
    one.client.close()


@job(name="f.note", queue="q")
def note(value: Any = None) -> None:
    ran.append(value)


@job(name="f.impatient", queue="q", timeout=60, retry=0, dead=True)
async def impatient() -> None:
    async with asyncio.timeout(0.01):
        await asyncio.sleep(60)


@job(name="f.deaf", queue="q", timeout=0.05, grace=60, retry=0, dead=True)
async def deaf() -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        ran.append("swallowed")


@job(name="f.fail", queue="q", timeout=5, retry=1, backoff=60)
def fail() -> None:
    raise ValueError("no such mailbox")


def record(bench: Bench, jid: str) -> FailureRecord:
    found = find.find(bench.cluster, bench.partition, jid)
    assert found is not None
    return found.record.state.failures[-1]


def test_a_timeout_of_the_handlers_own_is_no_timeout_of_the_job(bench: Bench) -> None:
    jid = bench.client.push("f.impatient", queue="q")
    bench.run_all()
    assert (record(bench, jid).cause, record(bench, jid).error) == ("exception", "TimeoutError")


def test_an_async_handler_that_swallows_its_cancellation_has_timed_out(bench: Bench) -> None:
    jid = bench.client.push("f.deaf", queue="q")
    bench.run_all()
    assert ran == ["swallowed"]
    assert (record(bench, jid).cause, record(bench, jid).error) == ("timeout", "JobTimeout")


def test_a_job_that_calls_another_as_a_function_gets_its_soft_timeout() -> None:
    @job(name="f.inner")
    def inner() -> None:
        os.kill(os.getpid(), SOFT_TIMEOUT_SIGNAL)

    soft = SoftTimeout()
    before = signal.signal(SOFT_TIMEOUT_SIGNAL, soft.knock)
    try:
        soft.arm(time.monotonic_ns() - 1, 1)
        with pytest.raises(JobTimeout):
            call_handler(lambda: inner(), (), {})
    finally:
        signal.signal(SOFT_TIMEOUT_SIGNAL, before)


DEEP = b'{"args":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}"


@pytest.mark.parametrize(
    "body",
    [DEEP, b'{"overrides":{"timeout":1e300}}', b'{"overrides":{"timeout":1e18}}', b"\xff"],
    ids=["deep", "for ever", "too long", "bytes"],
)
def test_a_body_that_nobody_can_read_fails_its_own_job(bench: Bench, body: bytes) -> None:
    """Raised before the entry is started, it would end every worker of the gang without an attempt used."""
    (jid,) = mint("q", 0)
    bench.client.push("f.note", [1], queue="q")
    add = ("XADD", bench.partition.ready[4], "*", "j", jid, "t", "f.note", "b", body)
    bench.cluster.run(Command(bench.partition.slot, add))
    bench.run_all()
    assert ran == [1]
    assert record(bench, jid).cause == "bad_arguments"


@pytest.mark.parametrize(
    "fields",
    [
        ("j", "", "t", "f.note", "b", "{}"),
        ("j", "j" * 100, "t", "f.note", "b", "{}"),
        ("j", mint("q", 0)[0], "t", "t" * 40_000, "b", "{}"),
        ("j", mint("q", 0)[0], "t", "two\nlines", "b", "{}"),
        ("j", mint("q", 0)[0], "t", "f.note", "b", "{}", "s", b"[0,0,0,0,0,[]," + b"[" * 100_000),
        ("j", mint("q", 0)[0], "t", "f.note", "b", "{}", "s", json.dumps([1 << 70])),
    ],
    ids=["no jid", "long jid", "long type", "type of two lines", "deep state", "big state"],
)
def test_what_is_no_job_of_ours_is_set_aside(bench: Bench, fields: tuple[Any, ...]) -> None:
    bench.client.push("f.note", [1], queue="q")
    bench.cluster.run(Command(bench.partition.slot, ("XADD", bench.partition.ready[4], "*", *fields)))
    bench.client.push("f.note", [2], queue="q")
    bench.run_all()
    assert (sorted(ran), bench.look().dead, bench.look().in_flight) == ([1, 2], 1, 0)


def test_a_report_that_takes_long_is_no_timeout(bench: Bench) -> None:
    """Redis is away for longer than the job's time: the run was over before that."""
    bench.client.push("f.fail", queue="q")
    bench.trip()
    seen: list[Due] = []
    later, slot = bench.partition.later, bench.partition.slot
    bench.cluster.run(Command(slot, ("SET", later, "in the way")))

    def meanwhile(_: float) -> None:
        late = look(Page(bench.page.bytes))
        assert late.run_seq
        seen.append(judge(late, None, time.monotonic_ns() + 3600 * 10**9, 0))
        bench.cluster.run(Command(slot, ("DEL", later)))

    bench.pause = meanwhile
    bench.performer.perform(0)
    assert seen and set(seen) == {Due.NOTHING}
    assert bench.look().counters["retried"] == 1


def test_a_report_that_no_repetition_brings_home_is_given_up(bench: Bench) -> None:
    """Else the worker's place is lost, and the lease of a job that ended is renewed for ever."""
    bench.client.push("f.fail", queue="q")
    bench.trip()
    bench.cluster.run(Command(bench.partition.slot, ("SET", bench.partition.later, "in the way")))
    tries: list[float] = []
    bench.pause = tries.append
    bench.performer.perform(0)
    assert 10 <= len(tries) < 100
    assert Page(bench.page.bytes).snapshot().states == [EntryState.GONE]
    leases = recover.leases(bench.cluster, bench.partition, 0).leases
    assert [lease.consumer for lease in leases] == [HOST]  # the judge brings it back


def test_the_longest_names_fit_the_page(bench: Bench) -> None:
    place = partitions("ganger", "q" * 64, 1)[0]
    long = Entry(place, 9, b"1700000000000-4503599627370496", mint("q", 0)[0], "t" * 120, BLANK, b"")
    unsettled = bench.hand.room(64)
    bench.hand.take_up([long] * unsettled)
    for index in range(unsettled):
        bench.hand.succeeded(index)
    bench.hand.take_up([long] * bench.hand.room(64))
    assert len(Page(bench.page.bytes).snapshot().held) >= 64


def test_a_new_batch_waits_until_the_host_has_taken_back_what_it_wants_of_the_old_one(bench: Bench) -> None:
    """Else the host would flip entries of the new one unseen, and the next batch would hide them."""
    reading, writing = os.pipe()

    def taking_back() -> None:
        assert lock_byte(bench.fd, page_offset(0), wait=True)
        os.write(writing, b"x")
        hang()

    before = bench.page.words[Word.BATCH]
    beginning = threading.Thread(target=bench.hand.take_up, args=([],))
    with child(taking_back):
        assert readable(reading)
        beginning.start()
        until(lambda: "-> POSIX" in Path("/proc/locks").read_text(), "the worker waits")
        assert bench.page.words[Word.BATCH] == before
    beginning.join(10)
    assert bench.page.words[Word.BATCH] != before
    os.close(reading)
    os.close(writing)


def test_what_a_host_took_back_and_never_released_is_released_before_the_next_batch(bench: Bench) -> None:
    """It died between the two steps; another batch on the page would hide what it left."""
    bench.client.push_many("f.note", [(n,) for n in range(20)], queue="q")
    bench.trip()
    bench.performer.perform(0)
    count = bench.trip()
    assert count > 1 and len(Page(bench.page.bytes).take_back()) == count
    for index in range(count):
        bench.performer.perform(index)
    bench.trip()
    assert bench.look().counters["released"] == count
    for index in range(len(bench.hand.entries)):
        bench.performer.perform(index)
    bench.run_all()
    assert sorted(ran) == list(range(20))
    assert (bench.look().in_flight, bench.look().counters["released"]) == (0, count)


@pytest.fixture
def hasty(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """One who gives up soon on a node that says nothing."""
    monkeypatch.setattr("gangerd.worker.fetch.DEADLINE_S", 0.3)
    monkeypatch.setattr("gangerd.worker.fetch.MIXED_S", 0.3)
    monkeypatch.setattr("gangerd.worker.fetch.LATE_S", 0.2)
    return bench


def test_a_claim_that_is_unknown_stands_in_the_page_until_it_is_closed(hasty: Bench) -> None:
    """Should the worker die first, the host closes it; else what it took would be nobody's for a lease."""
    hasty.client.push_many("f.note", [(n,) for n in range(3)], queue="q")
    with pytest.raises(OutcomeUnknown):
        hasty.while_silent(hasty.trip)
    assert hasty.page.words[Word.CLAIM_OP] == hasty.fetch._op
    until(lambda: hasty.fetch.recall() or not hasty.fetch._unknown, "it is closed")  # type: ignore[func-returns-value]
    assert hasty.page.words[Word.CLAIM_OP] == 0
    assert (hasty.look().ready, hasty.look().in_flight) == (3, 0)


def test_no_claim_is_sent_where_another_is_unknown(hasty: Bench) -> None:
    """It would push that one out of the memo, which is what knows of its entries."""
    hasty.client.push_many("f.note", [(n,) for n in range(3)], queue="q")
    hasty.cluster.run(claim.command(hasty.partition, HOST, ME, 1, 1, 1, 1, {}))
    hasty.fetch._op, hasty.fetch._unknown = 1, {0: (hasty.partition, 1)}
    with pytest.raises(NodeDown, match="look elsewhere"):
        hasty.while_silent(hasty.trip)
    until(lambda: hasty.fetch.recall() or not hasty.fetch._unknown, "it is closed")  # type: ignore[func-returns-value]
    hasty.run_all()
    assert sorted(ran) == [0, 1, 2]


@pytest.mark.parametrize(
    ("asked", "given"), [(0, 0.0), (7, 7.0), (float("nan"), None), (float("inf"), None), ("soon", None)]
)
def test_an_exception_s_own_delay_is_a_number_or_none(asked: object, given: float | None) -> None:
    error = ValueError("later")
    error.retry_in_s = asked  # type: ignore[attr-defined]
    assert describe(error, 1, "host", ME).delay_s == given


def test_an_exception_whose_delay_can_not_be_had_is_described_all_the_same() -> None:
    class Odd(ValueError):
        @property
        def retry_in_s(self) -> float:
            raise KeyError("no")

    assert describe(Odd("x"), 1, "host", ME).delay_s is None

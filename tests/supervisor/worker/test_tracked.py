"""A worker and what its jobs tell: progress, checkpoints, results."""

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ganger import current, inspect, job
from ganger.cluster import Cluster
from ganger.errors import BadArguments, JobFailed, LeaseLost, NoResult, StillRunning
from ganger.keeping import BURST
from ganger.keys import Control
from ganger.operations import failing, track
from gangerd.recorder import Counter, EntryState
from support.servers import ClusterServers
from support.worker_bench import HOST, Bench

seen: list[Any] = []


@pytest.fixture
def bench(cluster_servers: ClusterServers, cluster: Cluster) -> Iterator[Bench]:
    seen.clear()
    one = Bench(cluster_servers, cluster)
    yield one
    one.client.close()


@job(name="tracked.add", queue="q", track=True)
def add(a: int, b: int) -> int:
    return a + b


@job(name="tracked.give", queue="q", track=60)
def give(what: str) -> Any:
    return {"nothing": None, "large": "x" * 2000, "strange": object(), "text": "a|b\nc"}[what]


@job(name="tracked.later", queue="q", track=True)
async def later() -> list[int]:
    current().progress(100)
    return [1, 2]


@job(name="tracked.fails", queue="q", track=True, retry=0)
def fails() -> None:
    current().checkpoint(7)
    raise ValueError("no such row")


@job(name="tracked.rows", queue="q", retry=3, backoff=0)
def rows() -> None:
    """Untracked: it fails at row 3 of its first attempt."""
    now = current()
    first = (now.last_checkpoint or 0) + 1
    seen.append((now.attempt, first))
    for row in range(first, 6):
        now.progress(row * 20, f"row {row}")
        now.checkpoint(row)
        if row == 3 and now.attempt == 1:
            raise RuntimeError("row 4 is bad")
    seen.append(now.last_checkpoint)


@job(name="tracked.chatty", queue="q", track=True)
def chatty(words: int) -> None:
    for word in range(words):
        current().progress(word, f"word {word}")


@job(name="tracked.threaded", queue="q", track=True)
def threaded() -> None:
    def tell() -> None:
        current().progress(50, "from a thread")
        current().checkpoint({"by": "thread"})

    thread = threading.Thread(target=tell)
    thread.start()
    thread.join()
    seen.append(current().last_checkpoint)


@job(name="tracked.wrong", queue="q", track=True, retry=0)
def wrong(what: str) -> None:
    match what:
        case "percent":
            current().progress(101)
        case "json":
            current().checkpoint(object())
        case "large":
            current().checkpoint("x" * 70_000)


def test_a_result_is_there_when_the_job_has_ended(bench: Bench) -> None:
    jid = add.options().push_with(bench.client, 40, 2)
    with pytest.raises(StillRunning):
        bench.client.result(jid)
    assert bench.client.job(jid).state == "ready"
    bench.run_all()
    assert bench.client.result(jid, wait=5) == 42
    status = bench.client.job(jid)
    assert (status.state, status.how, status.ended) == ("done", "succeeded", True)
    assert (status.attempt, status.type) == (1, "tracked.add")
    assert status.ended_at_ms and status.ran_ms is not None and status.peak_rss_bytes >= 0
    assert bench.look().counters["succeeded"] == 1
    assert bench.page.counters[Counter.SUCCEEDED] == 1
    assert EntryState.STARTED not in bench.page.snapshot().states


def test_a_result_of_an_async_handler_and_of_none(bench: Bench) -> None:
    jids = [later.options().push_with(bench.client), give.options().push_with(bench.client, "nothing")]
    bench.run_all()
    assert [bench.client.result(jid) for jid in jids] == [[1, 2], None]
    progress = bench.client.job(jids[0]).progress
    assert progress is not None and progress.percent == 100


@pytest.mark.parametrize(
    ("what", "why"), [("large", "more than max_result_bytes = 1000"), ("strange", "no JSON")]
)
def test_a_result_that_can_t_be_kept_fails_nothing_and_says_so(bench: Bench, what: str, why: str) -> None:
    jid = give.options().push_with(bench.client, what)
    bench.run_all()
    assert bench.client.job(jid).how == "succeeded"
    with pytest.raises(NoResult, match=why):
        bench.client.result(jid)
    shown = inspect.job(bench.cluster, Control("ganger"), jid)
    assert shown["result"] is None and why in shown["no_result"]


def test_any_text_survives(bench: Bench) -> None:
    jid = give.options().push_with(bench.client, "text")
    bench.run_all()
    assert bench.client.result(jid) == "a|b\nc"


def test_a_job_that_failed_has_no_result_but_its_failures(bench: Bench) -> None:
    jid = fails.options().push_with(bench.client)
    bench.run_all()
    with pytest.raises(JobFailed, match="no such row") as failed:
        bench.client.result(jid)
    assert failed.value.how == "exhausted" and failed.value.failures[0]["error"] == "ValueError"
    status = bench.client.job(jid)
    assert (status.how, status.attempt, status.checkpoint_bytes) == ("exhausted", 1, None)


def test_a_plain_job_has_no_result_and_costs_none(bench: Bench) -> None:
    jid = add.options(track=False).push_with(bench.client, 1, 2)
    with pytest.raises(NoResult, match="isn't tracked"):
        bench.client.result(jid, wait=5)
    bench.run_all()
    with pytest.raises(NoResult, match="not kept"):
        bench.client.result(jid, wait=5)
    assert track.read(bench.cluster, bench.partition, jid) == track.Track()


def test_the_next_attempt_goes_on_at_the_checkpoint(bench: Bench) -> None:
    jid = rows.options().push_with(bench.client)
    for index in range(bench.trip()):
        bench.performer.perform(index)
    status = bench.client.job(jid)
    assert (status.state, status.attempt, status.tracked) == ("retrying", 2, False)
    assert status.checkpoint_bytes == 1 and status.progress is not None
    assert status.progress.message == "row 3"
    bench.promote()
    bench.run_all()
    assert seen == [(1, 1), (2, 4), 5]
    assert track.read(bench.cluster, bench.partition, jid) == track.Track()


def test_a_chatty_job_tells_a_few_words_and_always_the_last(bench: Bench, monkeypatch: Any) -> None:
    kept: list[bytes] = []
    keep = track.keep

    def counted(*args: Any, **options: Any) -> track.Kept:
        kept.append(args[4])
        return keep(*args, **options)

    monkeypatch.setattr(track, "keep", counted)
    jid = chatty.options().push_with(bench.client, 100)
    began_s = time.monotonic()
    bench.run_all()
    most = BURST + 2 * (time.monotonic() - began_s) + 1
    assert kept[0] == b"0|word 0" and kept[-1] == b"99|word 99" and len(kept) <= most + 1
    progress = bench.client.job(jid).progress
    assert progress is not None and progress.message == "word 99"


def test_a_thread_of_the_handler_may_tell(bench: Bench) -> None:
    jid = threaded.options().push_with(bench.client)
    bench.run_all()
    assert seen == [{"by": "thread"}]
    progress = bench.client.job(jid).progress
    assert progress is not None and progress.message == "from a thread"


@job(name="tracked.forks", queue="q")
def forks() -> None:
    """Its child tells as well, over connections of its own."""
    child = os.fork()
    if child == 0:
        current().progress(70, "from a child")
        os._exit(0)
    os.waitpid(child, 0)
    current().checkpoint("still whole")


def test_a_child_of_the_handler_may_tell_and_spoils_nothing(bench: Bench) -> None:
    jid = forks.options().push_with(bench.client)
    bench.trip()
    bench.performer.perform(0)
    told = track.read(bench.cluster, bench.partition, jid)  # its success is not settled yet
    assert told.progress is not None and told.progress.message == "from a child"
    assert told.checkpoint == b'"still whole"'


@pytest.mark.parametrize("what", ["percent", "json", "large"])
def test_what_can_t_be_told_is_a_mistake_of_the_job_s(bench: Bench, what: str) -> None:
    jid = wrong.options().push_with(bench.client, what)
    bench.run_all()
    (failure,) = bench.client.job(jid).failures
    assert (failure["cause"], failure["error"]) == ("bad_arguments", BadArguments.__name__)


def test_progress_without_redis_fails_no_job_and_is_told_once(bench: Bench, monkeypatch: Any) -> None:
    from ganger.errors import NodeDown

    def down(*args: Any, **options: Any) -> track.Kept:
        raise NodeDown("nobody there")

    monkeypatch.setattr(track, "keep", down)
    jid = chatty.options().push_with(bench.client, 20)
    bench.run_all()
    assert bench.client.job(jid).how == "succeeded" and len(bench.away) == 1


def test_an_attempt_that_has_lost_its_lease_keeps_nothing(bench: Bench) -> None:
    """Its successor's checkpoint stands."""
    rows.options().push_with(bench.client)
    bench.trip()
    (entry,) = bench.hand.entries
    failing.release(bench.cluster, bench.partition, HOST, [(entry, None)])
    keeper = bench.keeper
    with pytest.raises(LeaseLost):
        keeper.checkpoint(entry, 3)
    keeper.progress(entry, 10, "")
    assert track.read(bench.cluster, bench.partition, entry.jid) == track.Track()


def test_a_worker_that_dies_before_the_end_is_told_leaves_a_job_that_runs_again(bench: Bench) -> None:
    """The result was stored, the end was not: nobody is shown it."""
    jid = add.options().push_with(bench.client, 1, 2)
    bench.trip()
    (entry,) = bench.hand.entries
    track.put_result(bench.cluster, entry, b"3", 60_000)
    with pytest.raises(StillRunning):
        bench.client.result(jid)
    failing.release(bench.cluster, bench.partition, HOST, [(entry, None)])
    bench.hand.gone(0)
    bench.run_all()
    assert bench.client.result(jid) == 3

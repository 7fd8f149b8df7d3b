"""Entries go back from a busy worker, and only those that it can't start any more."""

import os
import time
from collections.abc import Iterator

import pytest

from ganger.cluster import Cluster
from ganger.job import Entry
from ganger.keys import Partition
from gangerd.linux.shared_memory import lock_byte
from gangerd.recorder import EntryState, page_offset
from gangerd.roles.coordinator.hand_back import HandBack
from gangerd.roles.queues import Queues
from support import jobs
from support.children import child, hang, readable
from support.roles import HOST, Stage, Worker, stage
from support.servers import ClusterServers

HELD, DONE, TAKEN = EntryState.HELD, EntryState.DONE, EntryState.TAKEN
WORKER = "00000000000000b1"
OLD_MS = 1_000


@pytest.fixture
def at(cluster_servers: ClusterServers) -> Iterator[Stage]:
    with stage(cluster_servers.url) as made:
        yield made


@pytest.fixture
def mail(cluster: Cluster) -> Partition:
    return jobs.queue(cluster, count=1)[0]


def hand_back(cluster: Cluster, at: Stage) -> HandBack:
    queues = Queues(cluster, jobs.KEYS)
    queues.refresh()
    return HandBack(cluster, at.role.pages, at.recorder_fd, HOST, queues.find)


def batch(cluster: Cluster, mail: Partition, at: Stage, count: int) -> tuple[Worker, list[Entry]]:
    """A worker that claimed a batch a second ago."""
    jobs.push(cluster, mail, count)
    entries = jobs.take(cluster, mail, HOST, WORKER)
    worker = at.worker(0, WORKER)
    worker.hold([jobs.held(entry) for entry in entries], [HELD] * count, age_ms=OLD_MS)
    return worker, entries


def now_ns() -> int:
    return time.monotonic_ns()


def test_what_waits_behind_a_long_job_goes_back(cluster: Cluster, mail: Partition, at: Stage) -> None:
    worker, entries = batch(cluster, mail, at, 4)
    worker.run(0, age_ms=OLD_MS)
    host = hand_back(cluster, at)
    assert host.scan(now_ns())
    assert worker.page.snapshot().states == [EntryState.STARTED, TAKEN, TAKEN, TAKEN]
    assert not any(worker.page.start(index) for index in (1, 2, 3))
    seen = jobs.seen(cluster, mail)
    assert (seen.waiting, seen.in_flight, seen.counters["released"]) == ({0: 3}, 1, 3)
    assert host.released == 3
    host.scan(now_ns())
    assert jobs.seen(cluster, mail).counters["released"] == 3
    again = jobs.take(cluster, mail, HOST, "00000000000000b2")
    assert [entry.jid for entry in again] == [entry.jid for entry in entries[1:]]
    assert [entry.state.attempts for entry in again] == [0, 0, 0]


def test_a_worker_that_gets_on_keeps_its_batch(cluster: Cluster, mail: Partition, at: Stage) -> None:
    jobs.push(cluster, mail, 3)
    entries = jobs.take(cluster, mail, HOST, WORKER)
    worker = at.worker(0, WORKER)
    worker.hold([jobs.held(entry) for entry in entries], [HELD] * 3)
    worker.run(0)
    assert hand_back(cluster, at).scan(now_ns())
    assert worker.page.snapshot().states[1:] == [HELD, HELD]


def test_nothing_in_hand_asks_for_no_further_scan(cluster: Cluster, at: Stage) -> None:
    at.worker(0, WORKER).idle()
    assert not hand_back(cluster, at).scan(now_ns())


def test_the_kernel_s_lock_decides_and_its_holder_is_not_waited_for(
    cluster: Cluster, mail: Partition, at: Stage
) -> None:
    worker, _ = batch(cluster, mail, at, 2)
    reading, writing = os.pipe()

    def starting() -> None:
        assert lock_byte(at.recorder_fd, page_offset(0), wait=True)
        os.write(writing, b"x")
        hang()

    host = hand_back(cluster, at)
    with child(starting):
        assert readable(reading)
        host.scan(now_ns())
        assert worker.page.snapshot().states == [HELD, HELD]
    # Its holder is dead, and the kernel has given the lock back.
    host.scan(now_ns())
    assert worker.page.snapshot().states == [TAKEN, TAKEN]
    os.close(reading)
    os.close(writing)


def test_what_is_done_before_a_long_job_is_settled_for_it(
    cluster: Cluster, mail: Partition, at: Stage
) -> None:
    worker, entries = batch(cluster, mail, at, 3)
    worker.page.states[0] = DONE
    worker.page.states[1] = DONE
    worker.run(2, age_ms=OLD_MS)
    host = hand_back(cluster, at)
    host.scan(now_ns())
    seen = jobs.seen(cluster, mail)
    assert (seen.in_flight, seen.counters["succeeded"]) == (1, 2)
    host.scan(now_ns())
    assert jobs.seen(cluster, mail).counters["succeeded"] == 2
    assert jobs.where(cluster, mail, entries[0].jid) is None


def test_a_successor_releases_what_its_predecessor_had_only_taken(
    cluster: Cluster, mail: Partition, at: Stage
) -> None:
    worker, _ = batch(cluster, mail, at, 3)
    worker.run(0, age_ms=OLD_MS)
    worker.page.take_back()
    hand_back(cluster, at).scan(now_ns())
    assert jobs.seen(cluster, mail).waiting == {0: 2}


def test_a_page_of_garbage_is_left_alone(cluster: Cluster, mail: Partition, at: Stage) -> None:
    batch(cluster, mail, at, 2)
    page = at.role.pages[0]
    page.bytes[4096 : 4096 + 60 * 1024] = b"\xff" * (60 * 1024)
    hand_back(cluster, at).scan(now_ns())
    assert jobs.seen(cluster, mail).in_flight == 2

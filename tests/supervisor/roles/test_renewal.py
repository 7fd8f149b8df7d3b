"""Leases are kept up for what live pages hold, and for nothing else."""

import time
from collections.abc import Iterator

import pytest

from ganger.cluster import Cluster
from ganger.keys import Partition
from ganger.operations import claim, failing, recover
from gangerd.recorder import EntryState
from gangerd.roles.coordinator.renewal import Renewal
from gangerd.roles.queues import Queues
from support import jobs
from support.roles import HOST, Stage, stage
from support.servers import ClusterServers
from support.waiting import until

HELD = EntryState.HELD
WORKER, OTHER = "00000000000000b1", "00000000000000ff"
OLD_MS = 3_000


@pytest.fixture
def at(cluster_servers: ClusterServers) -> Iterator[Stage]:
    with stage(cluster_servers.url) as made:
        yield made


@pytest.fixture
def mail(cluster: Cluster) -> tuple[Partition, ...]:
    return jobs.queue(cluster, count=3)


def nobody(*_: object) -> None:
    raise AssertionError("none of these was cancelled")


def queues(cluster: Cluster) -> Queues:
    made = Queues(cluster, jobs.KEYS)
    made.refresh()
    return made


def delivered(cluster: Cluster, partition: Partition) -> dict[bytes, int]:
    return {lease.id: lease.delivered_ms for lease in recover.leases(cluster, partition, 0).leases}


def test_running_and_waiting_entries_of_all_partitions_are_renewed_in_one_round(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    for partition in mail:
        jobs.push(cluster, partition, 2)
    for slot, partition in enumerate(mail):
        entries = jobs.take(cluster, partition, HOST, f"{slot:016x}")
        worker = at.worker(slot, f"{slot:016x}")
        worker.hold([jobs.held(entry) for entry in entries], [HELD] * 2, age_ms=OLD_MS)
        worker.run(0)
    before = [delivered(cluster, partition) for partition in mail]
    renewal = Renewal(cluster, at.role.pages, HOST, nobody)

    def renewed() -> bool:
        done = renewal.round(queues(cluster).find, time.monotonic_ns())
        assert (done.asked, done.answered, done.lost) == (3, 3, 0)
        after = [delivered(cluster, partition) for partition in mail]
        return all(new[id] > old[id] + 2 for old, new in zip(before, after, strict=True) for id in old)

    until(renewed, "every delivery time has moved")


def test_what_is_young_or_in_no_page_is_not_renewed(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    jobs.push(cluster, mail[0], 2)
    entries = jobs.take(cluster, mail[0], HOST, WORKER)
    worker = at.worker(0, WORKER)
    worker.hold([jobs.held(entries[0])], [HELD])
    before = delivered(cluster, mail[0])
    done = Renewal(cluster, at.role.pages, HOST, nobody).round(queues(cluster).find, time.monotonic_ns())
    assert done.asked == 0
    after = delivered(cluster, mail[0])
    assert all(abs(after[id] - before[id]) <= 2 for id in before)


def test_a_lease_that_another_host_has_is_reported_and_not_taken_back(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    """A failover lost our claim and another host claimed the entry: an unchecked renewal would ping-pong."""
    jobs.push(cluster, mail[0])
    (entry,) = jobs.take(cluster, mail[0], HOST, WORKER)
    worker = at.worker(0, WORKER)
    worker.hold([jobs.held(entry)], [HELD], age_ms=OLD_MS)
    worker.run(0)
    failing.release(cluster, mail[0], HOST, [(entry, None)])
    (theirs,) = claim.claim(cluster, mail[0], OTHER, OTHER, 1, budget_us=1).entries
    renewal = Renewal(cluster, at.role.pages, HOST, nobody)
    assert renewal.round(queues(cluster).find, time.monotonic_ns()).lost == 1
    (lease,) = recover.leases(cluster, mail[0], 0).leases
    assert (lease.consumer, lease.id) == (OTHER, theirs.id)


def test_an_entry_that_ended_in_the_meantime_is_no_loss(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    jobs.push(cluster, mail[0])
    (entry,) = jobs.take(cluster, mail[0], HOST, WORKER)
    worker = at.worker(0, WORKER)
    worker.hold([jobs.held(entry)], [HELD], age_ms=OLD_MS)
    failing.release(cluster, mail[0], HOST, [(entry, None)])
    renewal = Renewal(cluster, at.role.pages, HOST, nobody)
    assert renewal.round(queues(cluster).find, time.monotonic_ns()).lost == 0

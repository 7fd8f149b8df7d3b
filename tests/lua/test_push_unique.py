"""push_unique: lock and job in one step; a holder that waits may be replaced, one that works never is."""

from typing import Any

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.jid import mint
from ganger.job import NewJob, State
from ganger.keys import Partition
from ganger.label import split
from ganger.operations import claim, failing, find, schedule, settle, unique
from ganger.retry import Retry
from support.keyspace import HOST, MAIL, WORKER, counter, now_ms, opened, snapshot, unstamped
from support.servers import ClusterServers

BODY = b'u1f\n{"args":[9007199254740993]}'


def job(body: bytes = BODY) -> NewJob:
    return NewJob(mint("mail", 3)[0], "shop.send", body)


def push(cluster: Cluster, new: NewJob, **given: Any) -> unique.Answer:
    ttl_ms = given.pop("ttl_ms", 60_000)
    command = unique.push_command(MAIL, 5, new, "1f", ttl_ms, **given)
    return unique.parse_push(cluster.run(command), MAIL, new.jid)


def where(cluster: Cluster, new: NewJob, partition: Partition = MAIL) -> str | None:
    found = find.find(cluster, partition, new.jid)
    return None if found is None else str(found.state)


def test_lock_and_job_come_together(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    first = job()
    assert push(cluster, first).word == "pushed"
    found = snapshot(cluster_servers)
    ((_, fields),), leases = found[MAIL.ready[4]]
    assert fields == {b"j": first.jid.encode(), b"t": b"shop.send", b"b": BODY} and leases == []
    holder, _, until = found[MAIL.locks][b"1f"].partition(b"|")
    assert holder == first.jid.encode() and abs(int(until) - now_ms(cluster) - 60_000) < 30_000
    assert (counter(cluster, "enqueued"), found[MAIL.meta][b"careful"]) == (1, b"1")


def test_a_second_one_is_refused_and_nothing_changes(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    opened(cluster)
    first = job()
    push(cluster, first)
    before = snapshot(cluster_servers)
    answer = push(cluster, job())
    assert (answer.word, answer.holder) == ("held", first.jid)
    assert snapshot(cluster_servers) == before


def test_the_same_op_adds_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    """Its reply was lost: it hears that it is in, also when it has meanwhile ended and freed its lock."""
    opened(cluster)
    first = job()
    push(cluster, first)
    before = snapshot(cluster_servers)
    assert push(cluster, first).word == "pushed"
    assert unstamped(snapshot(cluster_servers)) == unstamped(before)
    entry = claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=1, costs={}).entries[0]
    settle.settle(cluster, MAIL, "succeeded", {5: [entry.id]})
    assert push(cluster, first).word == "pushed"
    assert where(cluster, first) is None and counter(cluster, "enqueued") == 1


def test_a_lock_whose_time_is_over_holds_nobody_back(cluster: Cluster) -> None:
    opened(cluster)
    first, second = job(), job()
    push(cluster, first)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.locks, "1f", f"{first.jid}|{now_ms(cluster) - 1}")))
    assert push(cluster, second).word == "pushed"
    entries = claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=9, costs={"shop.send": 1}).entries
    settle.settle(cluster, MAIL, "succeeded", {5: [entries[0].id]})
    assert unique.holder(cluster, MAIL, "1f") is not None, "the first one's end frees only its own lock"


def test_a_scheduled_one_is_locked_for_its_delay_as_well(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    opened(cluster)
    first = job()
    assert push(cluster, first, delay_ms=3_600_000).word == "pushed"
    assert where(cluster, first) == "scheduled"
    held = unique.holder(cluster, MAIL, "1f")
    assert held is not None and abs(held[1] - now_ms(cluster) - 3_660_000) < 30_000
    assert push(cluster, job()).word == "held"


def test_a_scheduled_holder_is_replaced(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    first, second = job(), job()
    push(cluster, first, delay_ms=3_600_000)
    assert push(cluster, second, delay_ms=3_600_000, replace=True).word == "pushed"
    assert (where(cluster, first), where(cluster, second)) == (None, "scheduled")
    assert (counter(cluster, "enqueued"), counter(cluster, "cancelled")) == (2, 1)
    held = unique.holder(cluster, MAIL, "1f")
    assert held is not None and held[0] == second.jid
    found = snapshot(cluster_servers)
    assert sum(len(found[bucket]) - 1 for bucket in MAIL.jobs) == 1


def test_a_waiting_holder_is_replaced_once_its_entry_is_named(cluster: Cluster) -> None:
    opened(cluster)
    first, second = job(), job()
    push(cluster, first)
    assert push(cluster, second, replace=True).word == "waiting"
    seen = find.find(cluster, MAIL, first.jid)
    assert seen is not None and seen.id is not None
    assert push(cluster, second, replace=True, old=(5, b"7-7")).word == "waiting", "it is not there"
    assert push(cluster, second, replace=True, old=(5, seen.id)).word == "pushed"
    assert (where(cluster, first), where(cluster, second)) == (None, "ready")
    assert counter(cluster, "cancelled") == 1


def test_a_holder_at_work_is_never_replaced(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    first = job()
    push(cluster, first)
    (entry,) = claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=1, costs={}).entries
    before = snapshot(cluster_servers)
    answer = push(cluster, job(), replace=True, old=(5, entry.id))
    assert (answer.word, answer.holder) == ("held", first.jid)
    assert snapshot(cluster_servers) == before


def test_the_lock_outlasts_a_retry(cluster: Cluster) -> None:
    opened(cluster)
    first = job()
    push(cluster, first)
    (entry,) = claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=1, costs={}).entries
    assert failing.apply(cluster, entry, HOST, Retry(-10, State(attempts=1))) == "moved"
    assert push(cluster, job()).word == "held"
    schedule.promote(cluster, MAIL)
    assert push(cluster, job()).word == "held"


@pytest.mark.parametrize("given", [{}, {"delay_ms": 5}, {"replace": True}])
def test_an_unopened_partition_is_left_alone(
    cluster: Cluster, cluster_servers: ClusterServers, given: dict[str, Any]
) -> None:
    assert cluster.run(unique.push_command(MAIL, 5, job(), "1f", 5, **given)) == [b"uninitialised"]
    assert snapshot(cluster_servers) == {}


def test_a_push_that_comes_again_late_meets_its_own_lock(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    """The memo knows it for ten minutes, its lock for as long as the job lives."""
    opened(cluster)
    first = job()
    push(cluster, first)
    for name in snapshot(cluster_servers)[MAIL.memo]:
        if name:
            cluster.run(Command(MAIL.slot, ("HDEL", MAIL.memo, name)))
    assert push(cluster, first, replace=True).word == "pushed"
    assert counter(cluster, "enqueued") == 1
    assert len(snapshot(cluster_servers)[MAIL.ready[4]][0]) == 1


@pytest.mark.parametrize("given", [{}, {"delay_ms": 5000}, {"at_ms": 99}])
def test_a_time_to_begin_counts_from_the_due_time_or_the_arrival(cluster: Cluster, given: Any) -> None:
    opened(cluster)
    new = job(b'x+500 u1f\n{"args":[]}')
    before_ms = now_ms(cluster)
    push(cluster, new, **given)
    found = find.find(cluster, MAIL, new.jid)
    assert found is not None
    label = split(found.record.body)[0]
    assert label.expires_at_ms is not None and label.unique == "1f"
    if found.due_at_ms is not None:
        assert label.expires_at_ms == found.due_at_ms + 500
    else:
        assert before_ms + 500 <= label.expires_at_ms <= now_ms(cluster) + 500

"""promote: what is due becomes ready, and the next due time is told."""

from ganger import jid as jids
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import enqueue, schedule
from ganger.operations.enqueue import NewJob
from support.keyspace import (
    MAIL,
    counter,
    now_ms,
    opened,
    snapshot,
)
from support.servers import ClusterServers


def later(cluster: Cluster, count: int, at_ms: int, priority: int = 5, state: bytes = b"") -> list[str]:
    made = jids.mint("mail", 3, count)
    jobs = [NewJob(jid, "shop.send", b"{}", state) for jid in made]
    cluster.run(enqueue.schedule_command(MAIL, priority, jobs, at_ms=at_ms))
    return made


def test_a_record_of_no_priority_stops_nobody(cluster: Cluster) -> None:
    opened(cluster)
    (odd, good) = (*later(cluster, 1, 1), *later(cluster, 1, 2))
    record = ("HSET", MAIL.jobs_bucket(odd), odd, b"shop.send\n0\n0\n{}")
    cluster.run(Command(MAIL.slot, record))
    assert cluster.run(schedule.promote_command(MAIL))[:2] == [b"promoted", 1]
    assert [row[1] for _, row in cluster.run(Command(MAIL.slot, ("XRANGE", MAIL.ready[4], "-", "+")))] == [
        good.encode()
    ]


def test_only_what_is_due_is_moved(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    future = now_ms(cluster) + 60_000
    (waits,) = later(cluster, 1, future)
    (low,) = later(cluster, 1, 2, priority=2, state=b"[1]")
    (high,) = later(cluster, 1, 1, priority=9)
    reply = cluster.run(schedule.promote_command(MAIL))
    assert reply[:2] == [b"promoted", 2]
    assert int(reply[3]) == future
    found = snapshot(cluster_servers)
    assert [row for _, row in found[MAIL.ready[1]][0]] == [
        {b"j": low.encode(), b"t": b"shop.send", b"b": b"{}", b"s": b"[1]"}
    ]
    assert [row[b"j"] for _, row in found[MAIL.ready[8]][0]] == [high.encode()]
    assert found[MAIL.later] == [(waits.encode(), future), (b"", float("inf"))]
    assert sum(len(found[bucket]) - 1 for bucket in MAIL.jobs) == 1
    assert counter(cluster, "promoted") == 2


def test_a_limit_bounds_it(cluster: Cluster) -> None:
    opened(cluster)
    later(cluster, 30, 1)
    counts = [schedule.promote(cluster, MAIL, 20) for _ in range(3)]
    assert [found.count for found in counts] == [20, 10, 0]
    assert [found.next_due_in_ms for found in counts] == [0, None, None]


def test_big_jobs_are_moved_a_few_at_a_time(cluster: Cluster) -> None:
    """A hundred of a megabyte each would keep the node from everybody else."""
    opened(cluster)
    for jid in jids.mint("mail", 3, 12):
        job = NewJob(jid, "shop.send", b"x" * (1 << 20))
        cluster.run(enqueue.schedule_command(MAIL, 5, [job], at_ms=1))
    found = schedule.promote(cluster, MAIL)
    assert 8 <= found.count < 12 and found.next_due_in_ms == 0
    assert schedule.promote(cluster, MAIL).count == 12 - found.count


def test_an_unopened_partition_is_left_alone(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert schedule.promote(cluster, MAIL) == schedule.Promoted(0, None, None)
    assert snapshot(cluster_servers) == {}

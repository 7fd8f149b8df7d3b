"""look: the whole picture of a partition."""

from ganger import jid as jids
from ganger.cluster import Cluster
from ganger.operations import enqueue, look
from ganger.operations.enqueue import NewJob
from support.keyspace import (
    MAIL,
    add,
    lease,
    now_ms,
    opened,
    snapshot,
)
from support.servers import ClusterServers


def see(cluster: Cluster) -> look.Look:
    return look.parse_look(cluster.run(look.look_command(MAIL)), MAIL)


def test_everything_is_counted_where_it_is(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    old = now_ms(cluster) - 5000
    add(cluster, f"{old}-1")
    add(cluster, f"{old + 1000}-1")
    add(cluster, f"{old}-1", stream=9)
    lease(cluster)
    lease(cluster, stream=9)
    add(cluster, f"{old + 2000}-1", stream=0, p="5")
    jobs = [NewJob(jid, "shop.send", b"{}") for jid in jids.mint("mail", 3, 3)]
    enqueue.schedule(cluster, MAIL, 5, jobs, delay_ms=60_000)
    before = snapshot(cluster_servers)
    seen = see(cluster)
    assert snapshot(cluster_servers) == before
    assert (seen.waiting, seen.ready, seen.in_flight) == ({0: 1, 5: 1}, 2, 2)
    assert (seen.later, seen.dead) == (3, 0)
    assert 4000 <= seen.oldest_age_ms < 30_000
    assert seen.next_due_in_ms is not None and 50_000 < seen.next_due_in_ms <= 60_000
    assert seen.counters == {"enqueued": 3}


def test_an_empty_or_unopened_partition_is_all_zero(cluster: Cluster) -> None:
    assert see(cluster) == look.Look()
    opened(cluster)
    assert (see(cluster).ready, see(cluster).oldest_age_ms, see(cluster).drained) == (0, 0, True)

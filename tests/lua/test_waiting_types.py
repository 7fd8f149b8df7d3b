"""waiting_types: which types wait, as a sample sees it."""

from ganger import jid as jids
from ganger.cluster import Cluster
from ganger.operations import enqueue, look
from ganger.operations.enqueue import NewJob
from support.keyspace import MAIL, add, lease, opened, snapshot
from support.servers import ClusterServers


def sample(cluster: Cluster) -> tuple[dict[str, int], bool]:
    found = look.parse_sample(cluster.run(look.sample_command(MAIL)), MAIL)
    return found.counts, found.whole


def test_all_that_waits_and_nothing_else(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert sample(cluster) == ({}, True)
    opened(cluster)
    assert sample(cluster) == ({}, True)
    add(cluster, "1-1", "a", t="shop.claimed")
    lease(cluster)
    add(cluster, "2-1", "b")
    add(cluster, "3-1", "c", stream=9, t="shop.urgent")
    add(cluster, "4-1", "d", stream=0, t="shop.urgent", p="5")
    new = [NewJob(jid, "shop.later", b"{}") for jid in jids.mint("mail", 3, 3)]
    enqueue.schedule(cluster, MAIL, 5, new, delay_ms=60_000)
    before = snapshot(cluster_servers)
    assert sample(cluster) == ({"shop.send": 1, "shop.urgent": 2, "shop.later": 3}, True)
    assert snapshot(cluster_servers) == before


def test_of_many_the_oldest(cluster: Cluster) -> None:
    opened(cluster)
    for number in range(1, 25):
        add(cluster, f"{number}-1", f"j{number}", t="shop.old" if number <= 20 else "shop.new")
    assert sample(cluster) == ({"shop.old": 20}, False)


def test_of_big_ones_a_few(cluster: Cluster) -> None:
    opened(cluster)
    for number in range(1, 12):
        add(cluster, f"{number}-1", f"j{number}", b="x" * (1 << 20))
    counts, whole = sample(cluster)
    assert (4 <= counts["shop.send"] <= 8, whole) == (True, False)

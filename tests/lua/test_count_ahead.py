"""count_ahead: who goes before a job that waits."""

from ganger.cluster import Cluster
from ganger.operations import look
from ganger.operations.look import Ahead
from support.keyspace import MAIL, add, lease, opened, snapshot
from support.servers import ClusterServers


def ahead(cluster: Cluster, stream: int, id: bytes, priority: int) -> Ahead:
    return look.ahead(cluster, MAIL, stream, id, priority)


def test_those_before_it_and_those_above_it(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert ahead(cluster, 5, b"1-1", 5) == Ahead(0, True)
    opened(cluster)
    add(cluster, "1-1", "claimed")
    lease(cluster)
    for number in range(2, 6):
        add(cluster, f"{number}-1", f"j{number}")
    add(cluster, "1-1", "urgent", stream=9)
    add(cluster, "1-1", "lazy", stream=1)
    add(cluster, "1-1", "back", stream=0, p="5")
    add(cluster, "2-1", "back-too", stream=0, p="5")
    before = snapshot(cluster_servers)
    assert ahead(cluster, 5, b"4-1", 5) == Ahead(2 + 1 + 2, True)
    assert ahead(cluster, 5, b"2-1", 5) == Ahead(3, True)
    assert ahead(cluster, 0, b"2-1", 5) == Ahead(1 + 1, True)
    assert ahead(cluster, 9, b"1-1", 9) == Ahead(2, True)
    assert snapshot(cluster_servers) == before


def test_of_very_many_some_are_counted(cluster: Cluster) -> None:
    opened(cluster)
    for number in range(1, 8):
        add(cluster, f"{number}-1", f"j{number}", b="x" * (1 << 20))
    found = ahead(cluster, 5, b"7-1", 5)
    assert (4 <= found.count <= 6, found.whole) == (True, False)

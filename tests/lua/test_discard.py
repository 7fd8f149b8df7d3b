"""discard: working -> gone, counted."""

from ganger.cluster import Cluster
from support.keyspace import MAIL, counter, snapshot
from support.leaving import move, working
from support.servers import ClusterServers


def test_discard_leaves_only_a_count(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    working(cluster)
    assert cluster.run(move("discard")) == [b"moved"]
    found = snapshot(cluster_servers)
    assert found[MAIL.ready[4]] == ([], [])
    assert [counter(cluster, name) for name in ("failed", "retried", "dead", "exhausted")] == [1, 0, 0, 1]

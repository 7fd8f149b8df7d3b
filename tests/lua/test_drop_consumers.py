"""drop_consumers: who is long gone and holds nothing is forgotten."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import recover
from support.keyspace import (
    MAIL,
    OTHER_HOST,
    add,
    lease,
    opened,
    snapshot,
)
from support.servers import ClusterServers


def test_a_consumer_with_something_pending_stays(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    add(cluster, "1-1")
    add(cluster, "2-1")
    lease(cluster)
    lease(cluster, consumer=OTHER_HOST)
    cluster.run(Command(MAIL.slot, ("XACK", MAIL.ready[4], "workers", "2-1")))
    before = snapshot(cluster_servers)
    assert recover.drop_consumers(cluster, MAIL, 60_000) == []
    assert recover.drop_consumers(cluster, MAIL, 0) == [OTHER_HOST]
    assert snapshot(cluster_servers) == before

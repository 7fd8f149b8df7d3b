"""unlock: a lock is given up by the job that holds it, and by no other."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import unique
from support.keyspace import MAIL, opened, snapshot
from support.servers import ClusterServers


def test_only_the_holder_frees_it(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.locks, "1f", "j1|99")))
    before = snapshot(cluster_servers)
    assert not unique.unlock(cluster, MAIL, "1f", "j2")
    assert not unique.unlock(cluster, MAIL, "2e", "j1")
    assert snapshot(cluster_servers) == before
    assert unique.unlock(cluster, MAIL, "1f", "j1")
    assert snapshot(cluster_servers)[MAIL.locks] == {b"": b""}
    assert not unique.unlock(cluster, MAIL, "1f", "j1")

"""dead_delete: dead letters go for ever; nothing else does."""

from ganger.cluster import Cluster
from ganger.operations import dead
from support.keyspace import (
    MAIL,
    buried,
    counter,
    snapshot,
)
from support.servers import ClusterServers


def test_only_dead_letters_go(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    made = buried(cluster, 2)
    assert dead.delete(cluster, MAIL, [made[0], "j" * 29, ""]) == 1
    found = snapshot(cluster_servers)
    assert [jid for jid, _ in found[MAIL.dead]] == [made[1].encode(), b""]
    assert sum(len(found[bucket]) - 1 for bucket in MAIL.jobs) == 1
    assert counter(cluster, "deleted") == 1

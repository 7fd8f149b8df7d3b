"""open_partition: all structures with their sentinels; harmless the second time."""

from ganger.calls import open_command
from ganger.cluster import Cluster
from support.keyspace import MAIL, add, lease, opened, snapshot
from support.servers import ClusterServers


def test_every_declared_key_exists_when_nothing_is_in_it(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    assert cluster.run(open_command(MAIL)) == [b"opened"]
    keys = {MAIL.meta, MAIL.memo, MAIL.later, MAIL.dead, *MAIL.jobs, *MAIL.streams}
    keys |= {*MAIL.ends, MAIL.parked, MAIL.lanes, MAIL.crons}
    assert set(snapshot(cluster_servers)) == keys


def test_a_second_time_changes_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    add(cluster, "5-1")
    lease(cluster)
    before = snapshot(cluster_servers)
    assert cluster.run(open_command(MAIL)) == [b"opened"]
    assert snapshot(cluster_servers) == before

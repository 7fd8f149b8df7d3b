"""cron_look: what a partition remembers of entries, and its clock."""

from ganger.cluster import Cluster
from ganger.operations import cron
from support.crons import MINUTE_MS, begun, entry
from support.keyspace import MAIL, now_ms, snapshot
from support.servers import ClusterServers


def test_memories_in_the_order_of_the_names(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    one = entry()
    at_ms = begun(cluster, one, MINUTE_MS)
    before = snapshot(cluster_servers)
    clock, (nobody, seen) = cron.parse_look(cluster.run(cron.look_command(MAIL, ["nobody", one.name])), MAIL)
    assert abs(clock - now_ms(cluster)) < MINUTE_MS
    assert nobody is None and seen is not None
    assert (seen.covered_ms, seen.timing, seen.events, seen.last) == (at_ms, "* * * * * UTC", (), None)
    assert snapshot(cluster_servers) == before


def test_an_unopened_partition_says_so(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert cron.parse_look(cluster.run(cron.look_command(MAIL, ["x"])), MAIL) == (0, [])
    assert snapshot(cluster_servers) == {}

"""sweep_locks: what holds nobody back any more goes; the sentinel and the others stay."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import unique
from support.keyspace import MAIL, now_ms, opened, snapshot
from support.servers import ClusterServers


def test_only_what_is_over_goes(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    now = now_ms(cluster)
    words = ("old", f"j|{now - 1}", "live", f"j|{now + 60_000}")
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.locks, *words)))
    assert unique.sweep(cluster, MAIL) == (0, 1)
    assert snapshot(cluster_servers)[MAIL.locks].keys() == {b"", b"live"}


def test_an_unopened_partition_has_none(cluster: Cluster) -> None:
    assert unique.sweep(cluster, MAIL) == (0, 0)

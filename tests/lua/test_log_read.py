"""log_read: chosen jobs of the log with their bodies, a few at a time."""

from ganger.cluster import Cluster
from ganger.operations import replay
from ganger.operations.replay import Copy
from support.history import ALL, RUN, ended, retaining, usual
from support.keyspace import MAIL, snapshot
from support.servers import ClusterServers


def test_it_reads_and_moves_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert replay.parse_read(cluster.run(replay.read_command(MAIL, RUN, ALL)), MAIL) == ([], b"")
    retaining(cluster)
    ended(cluster, 1, body="ud\n{}", priority=9)
    ended(cluster, 2, how="expired")
    ended(cluster, 3, type="shop.bill")
    before = snapshot(cluster_servers)
    found, cursor = replay.parse_read(cluster.run(replay.read_command(MAIL, RUN, usual(), limit=1)), MAIL)
    assert found == [Copy(b"1-1", "shop.send", b"ud\n{}", 9)] and cursor == b"1-1"
    found, cursor = replay.parse_read(cluster.run(replay.read_command(MAIL, RUN, usual(), cursor)), MAIL)
    assert found == [Copy(b"3-1", "shop.bill", b"{}", 5)] and cursor == b""
    assert snapshot(cluster_servers) == before

"""dead_list: dead letters, newest first."""

from ganger.cluster import Cluster
from ganger.job import Record, State
from ganger.operations import dead
from support.keyspace import (
    MAIL,
    buried,
    snapshot,
)
from support.servers import ClusterServers


def test_newest_first_in_pages(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    made = buried(cluster, 5)
    before = snapshot(cluster_servers)
    pages = [
        [one.jid for one in dead.parse_list(cluster.run(dead.list_command(MAIL, 2, offset)), MAIL)]
        for offset in (0, 2, 4, 6)
    ]
    assert pages == [[made[4], made[3]], [made[2], made[1]], [made[0]], []]
    (letter,) = dead.parse_list(cluster.run(dead.list_command(MAIL, 1)), MAIL)
    assert letter.record == Record("shop.send", 5, State(attempts=3, crashes=2), b"{}")
    assert snapshot(cluster_servers) == before


def test_big_ones_come_a_few_at_a_time(cluster: Cluster) -> None:
    made = buried(cluster, 6, "x" * (1 << 20))
    letters = dead.parse_list(cluster.run(dead.list_command(MAIL, 100)), MAIL)
    assert [one.jid for one in letters] == made[:2:-1]
    (last,) = dead.parse_list(cluster.run(dead.list_command(MAIL, 100, 5)), MAIL)
    assert last.jid == made[0]

"""dead_list: dead letters, newest first."""

from ganger import jid as jids
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Entry, Record, State
from ganger.operations import dead, failing
from ganger.retry import Bury
from support.keyspace import (
    HOST,
    MAIL,
    add,
    lease,
    opened,
    snapshot,
)
from support.servers import ClusterServers


def bury(cluster: Cluster, count: int) -> list[str]:
    """Dead letters, the last one newest."""
    opened(cluster)
    made = jids.mint("mail", 3, count)
    for place, jid in enumerate(made):
        add(cluster, f"{place + 1}-1", jid)
        lease(cluster)
        entry = Entry(MAIL, 5, b"%d-1" % (place + 1), jid, "shop.send", State(), b"")
        assert failing.apply(cluster, entry, HOST, Bury(State(attempts=3, crashes=2))) == "moved"
        cluster.run(Command(MAIL.slot, ("ZADD", MAIL.dead, 1_000_000_000_000 * 2 + place, jid)))
    return made


def test_newest_first_in_pages(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    made = bury(cluster, 5)
    before = snapshot(cluster_servers)
    pages = [
        [one.jid for one in dead.parse_list(cluster.run(dead.list_command(MAIL, 2, offset)), MAIL)]
        for offset in (0, 2, 4, 6)
    ]
    assert pages == [[made[4], made[3]], [made[2], made[1]], [made[0]], []]
    (letter,) = dead.parse_list(cluster.run(dead.list_command(MAIL, 1)), MAIL)
    assert letter.record == Record("shop.send", 5, State(attempts=3, crashes=2), b"{}")
    assert snapshot(cluster_servers) == before

"""dead_delete: dead letters go for ever; nothing else does."""

from ganger import jid as jids
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Entry, State
from ganger.operations import dead, failing
from ganger.retry import Bury
from support.keyspace import (
    HOST,
    MAIL,
    add,
    counter,
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


def test_only_dead_letters_go(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    made = bury(cluster, 2)
    assert dead.delete(cluster, MAIL, [made[0], "j" * 29, ""]) == 1
    found = snapshot(cluster_servers)
    assert [jid for jid, _ in found[MAIL.dead]] == [made[1].encode(), b""]
    assert sum(len(found[bucket]) - 1 for bucket in MAIL.jobs) == 1
    assert counter(cluster, "deleted") == 1

"""recover: an expired lease comes back, if it is still that very delivery."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Entry, State, encode_state
from ganger.operations import claim, find, recover
from support.keyspace import (
    HOST,
    MAIL,
    OTHER_HOST,
    add,
    counter,
    lease,
    opened,
    snapshot,
)
from support.servers import ClusterServers


def leased(cluster: Cluster) -> recover.Lease:
    opened(cluster)
    add(cluster, "1-1", "j1", s="[2]")
    lease(cluster)
    aged = ("XCLAIM", MAIL.ready[4], "workers", HOST, 0, "1-1", "IDLE", 60_000, "JUSTID")
    cluster.run(Command(MAIL.slot, aged))
    (found,) = recover.leases(cluster, MAIL, 0).leases
    return found


def back(cluster: Cluster, found: recover.Lease, *, bury: bool = False) -> bool:
    (entry,) = find.read(cluster, MAIL, [(found.stream, found.id)])
    gone = Entry(MAIL, found.stream, found.id, "j1", "shop.send", State(), b"")
    return recover.recover(
        cluster, found, entry if isinstance(entry, Entry) else gone, State(lost=1), bury=bury
    )


def test_it_comes_back_once(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    found = leased(cluster)
    assert back(cluster, found)
    after = snapshot(cluster_servers)
    assert after[MAIL.ready[4]] == ([], [])
    ((_, row),) = after[MAIL.returned][0]
    state = encode_state(State(lost=1))
    assert row == {b"j": b"j1", b"t": b"shop.send", b"b": b"{}", b"s": state, b"p": b"5"}
    assert counter(cluster, "lost") == 1
    assert not back(cluster, found)
    assert snapshot(cluster_servers) == after


def test_one_lost_too_often_is_buried(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    found = leased(cluster)
    assert back(cluster, found, bury=True)
    after = snapshot(cluster_servers)
    assert [jid for jid, _ in after[MAIL.dead]] == [b"j1", b""]
    assert (after[MAIL.ready[4]], after[MAIL.returned]) == (([], []), ([], []))
    assert (counter(cluster, "lost"), counter(cluster, "dead"), counter(cluster, "failed")) == (1, 1, 0)


def test_a_renewed_lease_stays(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    found = leased(cluster)
    assert claim.parse_renew(cluster.run(claim.renew_command(MAIL, HOST, {5: [b"1-1"]})), MAIL).lost == []
    before = snapshot(cluster_servers)
    assert not back(cluster, found)
    assert snapshot(cluster_servers) == before


def test_another_owner_s_lease_stays(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    found = leased(cluster)
    claiming = (
        "XCLAIM",
        MAIL.ready[4],
        "workers",
        OTHER_HOST,
        0,
        "1-1",
        "TIME",
        found.delivered_ms,
        "JUSTID",
    )
    cluster.run(Command(MAIL.slot, claiming))
    before = snapshot(cluster_servers)
    assert not back(cluster, found)
    assert snapshot(cluster_servers) == before


def test_a_settled_one_stays_settled(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    found = leased(cluster)
    cluster.run(Command(MAIL.slot, ("XACK", MAIL.ready[4], "workers", "1-1")))
    cluster.run(Command(MAIL.slot, ("XDEL", MAIL.ready[4], "1-1")))
    before = snapshot(cluster_servers)
    assert not back(cluster, found)
    assert snapshot(cluster_servers) == before

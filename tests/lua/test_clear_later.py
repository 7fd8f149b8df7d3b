"""clear_later: what is due at some time goes, soonest first; dead letters stay."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.jid import mint
from ganger.operations import clear, enqueue
from ganger.operations.enqueue import NewJob
from support.keyspace import MAIL, buried, counter, opened, snapshot
from support.servers import ClusterServers


def sweep(cluster: Cluster, limit: int = 500) -> tuple[int, bool]:
    return clear.parse(cluster.run(clear.later_command(MAIL, limit)), MAIL)


def test_scheduled_jobs_go_soonest_first_and_the_dead_stay(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    (dead,) = buried(cluster, 1)
    made = mint("mail", 3, 3)
    for place, jid in enumerate(made):
        enqueue.schedule(cluster, MAIL, 5, [NewJob(jid, "t", b"{}")], at_ms=9_000_000_000_000 + place)
    assert sweep(cluster, 2) == (2, True)
    found = snapshot(cluster_servers)
    assert [jid for jid, _ in found[MAIL.later]] == [made[2].encode(), b""]
    assert {jid for key in MAIL.jobs for jid in found[key]} == {b"", made[2].encode(), dead.encode()}
    assert sweep(cluster, 2) == (1, False)
    assert counter(cluster, "cancelled") == 3
    before = snapshot(cluster_servers)
    assert sweep(cluster) == (0, False)
    assert snapshot(cluster_servers) == before


def test_what_the_jobs_held_is_given_up(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    (jid,) = mint("mail", 3)
    enqueue.schedule(cluster, MAIL, 5, [NewJob(jid, "t", b"u1f b0b:17\n{}")], delay_ms=60_000)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.locks, "1f", f"{jid}|99")))
    assert sweep(cluster) == (1, False)
    found = snapshot(cluster_servers)
    assert found[MAIL.locks] == {b"": b""}
    assert found[MAIL.outbox] == {b"": b"", b"b:0b:17": f"cancelled {jid}".encode()}


def test_a_jid_without_a_record_is_dropped(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("ZADD", MAIL.later, 1, "nobody")))
    assert sweep(cluster) == (0, False)
    assert snapshot(cluster_servers)[MAIL.later] == [(b"", float("inf"))]


def test_an_unopened_partition_is_empty(cluster: Cluster) -> None:
    assert sweep(cluster) == (0, False)

"""dead_retry: dead letters become ready, their counts from nothing."""

from ganger import jid as jids
from ganger.cluster import Cluster
from ganger.job import State, encode_state
from ganger.operations import dead, enqueue
from ganger.operations.enqueue import NewJob
from support.keyspace import (
    MAIL,
    buried,
    counter,
    opened,
    snapshot,
)
from support.servers import ClusterServers


def test_they_become_ready_once(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    made = buried(cluster, 3)
    letters = [
        dead.Letter(jid, State(attempts=3, crashes=2, released=1)) for jid in (made[0], made[2], "j" * 29)
    ]
    assert dead.retry(cluster, MAIL, letters) == 2
    after = snapshot(cluster_servers)
    rows = [row for _, row in after[MAIL.ready[4]][0]]
    assert [row[b"j"].decode() for row in rows] == [made[0], made[2]]
    assert {row[b"s"] for row in rows} == {encode_state(State(released=1, revived=1))}
    assert [jid for jid, _ in after[MAIL.dead]] == [made[1].encode(), b""]
    assert counter(cluster, "revived") == 2
    assert dead.retry(cluster, MAIL, letters) == 0
    assert snapshot(cluster_servers) == after


def test_a_job_in_later_is_no_dead_letter(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    (jid,) = jids.mint("mail", 3)
    enqueue.schedule(cluster, MAIL, 5, [NewJob(jid, "shop.send", b"{}")], delay_ms=60_000)
    before = snapshot(cluster_servers)
    assert dead.retry(cluster, MAIL, [dead.Letter(jid, State())]) == 0
    assert dead.delete(cluster, MAIL, [jid]) == 0
    assert snapshot(cluster_servers) == before


def test_big_ones_go_some_at_a_time(cluster: Cluster) -> None:
    made = buried(cluster, 12, "x" * (1 << 20))
    assert dead.retry(cluster, MAIL, [dead.Letter(jid, State()) for jid in made]) == 12
    assert counter(cluster, "revived") == 12


def test_one_that_was_to_expire_runs_all_the_same(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    """Dead letters lie for months: the claim would drop it, and nobody had meant that."""
    made = buried(cluster, 2, "x1 t60000\n{}")
    assert dead.retry(cluster, MAIL, [dead.Letter(jid, State()) for jid in made]) == 2
    rows = [row for _, row in snapshot(cluster_servers)[MAIL.ready[4]][0]]
    assert [row[b"b"] for row in rows] == [b"t60000\n{}"] * 2


def test_one_that_has_died_again_is_another_letter(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    """A repeat, or a call that comes late, brings nothing back, and no old state over a new one."""
    (jid,) = buried(cluster, 1)
    ((_, at_ms),) = [row for row in snapshot(cluster_servers)[MAIL.dead] if row[0]]
    before = snapshot(cluster_servers)
    assert dead.retry(cluster, MAIL, [dead.Letter(jid, State(), int(at_ms) - 1)]) == 0
    assert snapshot(cluster_servers) == before
    assert dead.retry(cluster, MAIL, [dead.Letter(jid, State(), int(at_ms))]) == 1

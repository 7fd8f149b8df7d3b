"""hasten: later -> ready before its time."""

from ganger import jid as jids
from ganger.cluster import Cluster
from ganger.job import State, encode_state
from ganger.operations import enqueue, schedule
from ganger.operations.enqueue import NewJob
from support.keyspace import MAIL, buried, counter, opened, snapshot
from support.servers import ClusterServers


def test_it_is_ready_once_with_all_it_had(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert schedule.hasten(cluster, MAIL, ["j" * 29]) == 0
    opened(cluster)
    made = jids.mint("mail", 3, 3)
    state = State(attempts=2)
    enqueue.schedule(
        cluster, MAIL, 9, [NewJob(made[0], "shop.send", b"{}", encode_state(state))], delay_ms=60_000
    )
    enqueue.schedule(cluster, MAIL, 5, [NewJob(jid, "shop.send", b"{}") for jid in made[1:]], delay_ms=60_000)
    assert schedule.hasten(cluster, MAIL, [made[0], made[2], "j" * 29, ""]) == 2
    after = snapshot(cluster_servers)
    ((_, urgent),) = after[MAIL.ready[8]][0]
    assert urgent == {b"j": made[0].encode(), b"t": b"shop.send", b"b": b"{}", b"s": encode_state(state)}
    ((_, usual),) = after[MAIL.ready[4]][0]
    assert usual == {b"j": made[2].encode(), b"t": b"shop.send", b"b": b"{}"}
    assert [jid for jid, _ in after[MAIL.later]] == [made[1].encode(), b""]
    assert sum(len(after[bucket]) - 1 for bucket in MAIL.jobs) == 1
    assert counter(cluster, "promoted") == 2
    assert schedule.hasten(cluster, MAIL, [made[0], made[2]]) == 0
    assert snapshot(cluster_servers) == after


def test_a_dead_letter_is_not_in_later(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    made = buried(cluster, 1)
    before = snapshot(cluster_servers)
    assert schedule.hasten(cluster, MAIL, made) == 0
    assert snapshot(cluster_servers) == before


def test_one_that_is_due_at_another_time_by_now_waits_on(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    """A repeat, or a call that comes late, finds the job to be retried anew."""
    opened(cluster)
    made = jids.mint("mail", 3)
    enqueue.schedule(cluster, MAIL, 5, [NewJob(made[0], "shop.send", b"{}")], at_ms=7_000)
    before = snapshot(cluster_servers)
    assert schedule.hasten(cluster, MAIL, made, due_ms=6_000) == 0
    assert snapshot(cluster_servers) == before
    assert schedule.hasten(cluster, MAIL, made, due_ms=7_000) == 1

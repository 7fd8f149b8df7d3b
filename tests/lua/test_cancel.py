"""cancel: what waits ends at once, what is at work is marked by its entry; whoever would move it ends it."""

from collections.abc import Callable
from typing import Any

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Entry, State
from ganger.operations import cancel, claim, enqueue, failing, recover, settle
from ganger.operations.cancel import Cancel
from support.keyspace import HOST, MAIL, OTHER_HOST, add, counter, lease, now_ms, opened, snapshot
from support.leaving import JID, entry, move
from support.servers import ClusterServers

LABEL = "u1f b0b:17 t60000"
BODY = LABEL + '\n{"n":9007199254740993}'


def careful(cluster: Cluster) -> None:
    """What a job with extras owes at its end."""
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "careful", "1")))
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.locks, "1f", f"{JID}|99")))
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.tracks, f"c:{JID}", "1|90000")))


def marked(cluster: Cluster, stream: int = 5) -> None:
    """At work, and cancelled."""
    careful(cluster)
    add(cluster, "1-1", JID, stream=stream, b=BODY)
    lease(cluster, stream=stream)
    assert cancel.cancel(cluster, MAIL, JID, stream=stream, id=b"1-1") is Cancel.ASKED


def assert_over(servers: ClusterServers, cluster: Cluster) -> None:
    """Nothing is left of it but what its end owes."""
    found = snapshot(servers)
    assert not [rows for stream in MAIL.streams for rows in found[stream] if rows]
    assert (found[MAIL.later], found[MAIL.dead]) == ([(b"", float("inf"))],) * 2
    assert not [jid for bucket in MAIL.jobs for jid in found[bucket] if jid]
    assert found[MAIL.locks] == {b"": b""}
    assert found[MAIL.outbox] == {b"": b"", b"b:0b:17": f"cancelled {JID}".encode()}
    assert set(found[MAIL.tracks]) == {b"", b"e:" + JID.encode()}
    assert not [name for name in found[MAIL.memo] if name.startswith(b"x:")]
    ends = ("cancelled", "failed", "retried", "dead", "exhausted", "released", "lost")
    assert [counter(cluster, name) for name in ends] == [1, 0, 0, 0, 0, 0, 0]


def test_a_call_whose_reply_was_lost_says_the_same_again(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    careful(cluster)
    add(cluster, "1-1", JID, b=BODY)
    command = cancel.command(MAIL, JID, stream=5, id=b"1-1")
    assert cluster.run(command) == [b"cancelled"]
    before = snapshot(cluster_servers)
    assert cluster.run(command) == [b"cancelled"]
    assert snapshot(cluster_servers) == before
    assert_over(cluster_servers, cluster)


@pytest.mark.parametrize("stream", [0, 5])
def test_one_that_waits_ends_at_once(cluster: Cluster, cluster_servers: ClusterServers, stream: int) -> None:
    careful(cluster)
    add(cluster, "1-1", JID, stream=stream, b=BODY)
    assert cancel.cancel(cluster, MAIL, JID, stream=stream, id=b"1-1") is Cancel.CANCELLED
    assert_over(cluster_servers, cluster)
    before = snapshot(cluster_servers)
    assert cancel.cancel(cluster, MAIL, JID, stream=stream, id=b"1-1") is Cancel.MOVED
    assert snapshot(cluster_servers) == before


def test_one_of_a_paused_type_ends_where_it_is_parked(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    careful(cluster)
    words = ("j", JID, "t", "shop.send", "b", BODY, "p", "7")
    cluster.run(Command(MAIL.slot, ("XADD", MAIL.parked, "1-1", *words)))
    assert cancel.cancel(cluster, MAIL, JID, id=b"1-1") is Cancel.CANCELLED
    assert snapshot(cluster_servers)[MAIL.parked] == ([], [])
    assert_over(cluster_servers, cluster)


def test_one_that_is_due_later_ends_at_once(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    careful(cluster)
    new = enqueue.NewJob(JID, "shop.send", BODY.encode())
    cluster.run(enqueue.schedule_command(MAIL, 5, [new], delay_ms=60_000))
    assert cancel.cancel(cluster, MAIL, JID) is Cancel.CANCELLED
    assert_over(cluster_servers, cluster)
    before = snapshot(cluster_servers)
    assert cancel.cancel(cluster, MAIL, JID) is Cancel.MOVED
    assert snapshot(cluster_servers) == before


def test_one_at_work_is_marked_and_stays(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    careful(cluster)
    add(cluster, "1-1", JID)
    lease(cluster)
    before = snapshot(cluster_servers)
    assert cancel.cancel(cluster, MAIL, JID, stream=5, id=b"1-1") is Cancel.ASKED
    found = snapshot(cluster_servers)
    how, at_ms, _ = found[MAIL.memo].pop(b"x:1-1").split(b"|")
    assert how == b"1" and abs(int(at_ms) - now_ms(cluster)) < 60_000
    assert found == before


def test_an_entry_of_another_job_is_left_alone(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    add(cluster, "1-1", "another")
    before = snapshot(cluster_servers)
    assert cancel.cancel(cluster, MAIL, JID, stream=5, id=b"1-1") is Cancel.MOVED
    assert snapshot(cluster_servers) == before


def recovering(cluster: Cluster, *, bury: bool = False) -> bool:
    (found,) = recover.leases(cluster, MAIL, 0).leases
    gone = Entry(MAIL, found.stream, found.id, JID, "shop.send", State(), b"")
    return not recover.recover(cluster, found, gone, State(lost=1), bury=bury)


WAYS: dict[str, Callable[[Cluster], Any]] = {
    "retry": lambda cluster: cluster.run(move("retry")) == [b"cancelled"],
    "bury": lambda cluster: cluster.run(move("bury")) == [b"cancelled"],
    "discard": lambda cluster: cluster.run(move("discard")) == [b"cancelled"],
    "release": lambda cluster: failing.release(cluster, MAIL, HOST, [(entry(), None)]) == ["cancelled"],
    "recover": recovering,
    "recover, lost too often": lambda cluster: recovering(cluster, bury=True),
    "the host, which has ended it": lambda cluster: settle.settle(cluster, MAIL, "cancelled", {5: [b"1-1"]}),
}


@pytest.mark.parametrize("way", WAYS)
def test_whatever_would_move_it_ends_it(cluster: Cluster, cluster_servers: ClusterServers, way: str) -> None:
    """The host died before it acted, the worker was drained, the job failed by itself: all the same."""
    marked(cluster)
    assert WAYS[way](cluster)
    cluster.run(Command(MAIL.slot, ("HDEL", MAIL.memo, "x:1-1")))  # settle leaves it to the sweep
    assert_over(cluster_servers, cluster)


def test_one_that_succeeds_first_has_succeeded(cluster: Cluster) -> None:
    marked(cluster)
    settle.settle(cluster, MAIL, "succeeded", {5: [b"1-1"]})
    assert (counter(cluster, "succeeded"), counter(cluster, "cancelled")) == (1, 0)


def test_a_mark_does_not_reach_the_job_s_next_delivery(cluster: Cluster) -> None:
    """A failover lost the first settle's end; whatever brings the job back gives it another entry."""
    marked(cluster)
    cluster.run(Command(MAIL.slot, ("XDEL", MAIL.ready[4], "1-1")))
    add(cluster, "2-1", JID)
    lease(cluster)
    again = Entry(MAIL, 5, b"2-1", JID, "shop.send", State(), b"")
    assert cluster.run(failing.retry_command(again, HOST, 1000, State(attempts=1))) == [b"moved"]


def test_only_its_holder_s_move_ends_it(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    marked(cluster)
    before = snapshot(cluster_servers)
    assert cluster.run(move("retry", consumer=OTHER_HOST)) == [b"stolen"]
    assert snapshot(cluster_servers) == before


def test_a_renewal_tells_of_it(cluster: Cluster) -> None:
    marked(cluster)
    add(cluster, "2-1", "another")
    lease(cluster)
    renewed = claim.parse_renew(cluster.run(claim.renew_command(MAIL, HOST, {5: [b"1-1", b"2-1"]})), MAIL)
    assert (renewed.lost, renewed.cancelled) == ([], [(5, b"1-1")])

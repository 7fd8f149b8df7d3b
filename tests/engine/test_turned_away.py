"""Nodes that live and turn callers away: a password that is being changed, too many connections, a full disk.
That is an outage, and mends itself; whoever comes anew looks for another node first."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest

from chaos.ailments import no_connections, no_disk, other_password
from engine.test_cluster_faults import at_node, configured, get, incr
from ganger import pushing
from ganger.calls import open_partition
from ganger.cluster import Cluster, Command
from ganger.errors import OutcomeUnknown, RedisUnreachable, WriteRefused, WrongPassword
from ganger.keys import Partition
from support.servers import ClusterServers
from support.waiting import until


def test_a_password_that_is_changed_for_a_while_is_waited_for(
    rough: Cluster, rough_servers: ClusterServers
) -> None:
    part = at_node(rough_servers, 1)
    with ThreadPoolExecutor(1) as beside:
        with other_password(rough_servers.nodes[1]):
            with pytest.raises(OutcomeUnknown):  # over a connection that was closed already
                rough.run(get(part), deadline_s=0.1)
            with pytest.raises(
                WrongPassword, match=r"127\.0\.0\.1:\d+ refuses .* check GANGER_REDIS"
            ) as told:
                rough.run(incr(part), deadline_s=1.0)
            assert "top secret" not in str(told.value)
            waits = beside.submit(rough.run, incr(part))
        assert waits.result(20) == 1


def test_what_was_sent_before_the_password_was_changed_may_have_run(
    rough: Cluster, rough_servers: ClusterServers
) -> None:
    part = at_node(rough_servers, 1)
    with ThreadPoolExecutor(1) as beside, ExitStack() as stack:
        server = rough_servers.nodes[1]
        lost = beside.submit(rough.run, Command(part.slot, ("BLPOP", part.meta, 20)), deadline_s=2.0)
        while not any(client["cmd"] == "blpop" for client in server.client.client_list()):
            pass
        stack.enter_context(other_password(server))
        with pytest.raises(OutcomeUnknown, match="it may have run"):
            lost.result(20)


@pytest.mark.parametrize("ailment", [other_password, no_connections])
def test_who_comes_anew_asks_another_node(rough_servers: ClusterServers, ailment: type) -> None:
    part = at_node(rough_servers, 1)
    with ailment(rough_servers.nodes[0]):
        cluster = Cluster(rough_servers.settings())
        assert cluster.run(incr(part)) == 1
        [warning] = cluster.check()
        assert f"127.0.0.1:{rough_servers.nodes[0].port}" in warning
        cluster.close()


def test_a_push_goes_to_another_node_s_partition(
    rough: Cluster, rough_servers: ClusterServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it has waited; then it asks that node for no other of the queue's partitions there."""
    pusher, target, refusing = _pusher(rough)
    tried: list[int] = []
    monkeypatch.setattr(pusher, "_send", _telling(pusher._send, tried))
    pusher._turn = count(min(refusing))
    with other_password(rough_servers.nodes[1]):
        rough.close()  # what goes over a connection that has been closed may have run
        made = [pusher.push_one(target, b"{}") for _ in range(24)]
    assert not refusing & {pusher.place_of("mail", jid).index for jid in made}
    assert len(tried) == 24 + 1, "one in vain"
    until(
        lambda: pusher.place_of("mail", pusher.push_one(target, b"{}")).index in refusing, "it is asked again"
    )


def test_many_jobs_go_there_in_as_few_calls(
    rough: Cluster, rough_servers: ClusterServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "DEADLINE_S", 1.0)
    pusher, target, refusing = _pusher(rough)
    tried: list[int] = []
    monkeypatch.setattr(pusher, "_send", _telling(pusher._send, tried))
    with other_password(rough_servers.nodes[1]):
        rough.close()
        for calls in (len(refusing), 0):
            made = pusher.push_many(target, [b"{}"] * 192)
            assert len(set(made)) == 192
            assert not refusing & {pusher.place_of("mail", jid).index for jid in made}
            assert len(tried) == calls, "what it had refused, a part at a time; then nothing is sent there"
            tried.clear()


def _pusher(cluster: Cluster) -> tuple[pushing.Pusher, pushing.Target, set[int]]:
    """And which partitions of the queue stand on the second node."""
    pusher, node = pushing.Pusher(cluster, "ganger"), cluster.nodes()[1]
    there = {place.index for place in pusher.places("mail") if cluster.node_of(place.slot) == node}
    for place in pusher.places("mail"):
        open_partition(cluster, place, deadline_s=10)
    return pusher, pushing.Target("mail", 5, "shop.send"), there


def _telling(send: Callable[..., None], tried: list[int]) -> Callable[..., None]:
    def told(target: pushing.Target, place: Partition, *rest: Any) -> None:
        tried.append(place.index)
        send(target, place, *rest)

    return told


def test_where_no_node_has_a_connection_free_that_is_the_reason(rough_servers: ClusterServers) -> None:
    part, cluster = at_node(rough_servers, 1), Cluster(rough_servers.settings())
    with ThreadPoolExecutor(1) as beside:
        with ExitStack() as stack:
            for node in rough_servers.nodes:
                stack.enter_context(no_connections(node))
            with pytest.raises(
                RedisUnreachable, match=r"max number of clients|connection reset|closed the con"
            ):
                cluster.run(incr(part), deadline_s=1.0)
            waits = beside.submit(cluster.run, incr(part))
        assert waits.result(20) == 1
    cluster.close()


def test_a_full_disk_is_waited_for(rough: Cluster, rough_servers: ClusterServers) -> None:
    part, node = at_node(rough_servers, 1), rough_servers.nodes[1]
    with ThreadPoolExecutor(1) as beside, configured(node, appendonly="yes"):
        until(lambda: not node.client.info("persistence")["aof_rewrite_in_progress"], "an append-only file")
        with no_disk(node):
            with pytest.raises(WriteRefused, match=r"INCR was not run: see its replicas and disk \(MISCONF"):
                while rough.run(incr(part), deadline_s=1.0):
                    pass
            assert rough.run(get(part)) is not None
            waits = beside.submit(rough.run, incr(part))
        assert waits.result(20) > 0

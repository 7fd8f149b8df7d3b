"""The proxy of faults (support/fault_proxy.py): each does what it says, to that one command, and no address
of a cluster leads past it. And what the walk of all faults has found, each by itself."""

from collections.abc import Iterator
from typing import Any

import pytest

from ganger.client import Client
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.config import EngineConfig
from ganger.errors import NodeDown, OutcomeUnknown, ServerFull
from ganger.throttle.holders import this_process
from ganger.throttle.semaphore import Permit, Semaphore
from ganger.throttle.servers import Servers
from ganger.wire import trip
from support.fault_proxy import FaultProxy
from support.faults import Fault
from support.keyspace import MAIL
from support.servers import ClusterServers
from support.throttles import ThrottleServers

COUNT = Command(MAIL.slot, ("INCR", MAIL.meta))


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    made = FaultProxy()
    yield made
    made.close()


def through(proxy: FaultProxy, servers: ClusterServers) -> Cluster:
    """A transport that knows of no other address."""
    nodes = [("127.0.0.1", proxy.lay(node.port)) for node in servers.nodes]
    cluster = Cluster(servers.settings(nodes=tuple(nodes[:1])))
    cluster.run(Command(MAIL.slot, ("GET", MAIL.meta)))
    proxy.watch()
    return cluster


def counted(servers: ClusterServers) -> int:
    return int(servers.nodes[servers.index_of(MAIL.slot)].call("GET", MAIL.meta) or 0)


@pytest.mark.parametrize(
    ("fault", "executed"),
    [
        (Fault.REQUEST_CUT, 1),
        (Fault.REPLY_CUT, 2),
        (Fault.HALF_REPLY, 2),
        (Fault.CUT_AFTER, 1),
        (Fault.SLOW_REPLY, 1),
    ],
)
def test_after_a_cut_the_transport_asks_again(
    proxy: FaultProxy, cluster_servers: ClusterServers, fault: Fault, executed: int
) -> None:
    cluster = through(proxy, cluster_servers)
    proxy.arm(fault, 1)
    assert [cluster.run(COUNT) for _ in range(3)] == [1, 1 + executed, 2 + executed]
    assert proxy.taken == "INCR" and counted(cluster_servers) == 2 + executed
    cluster.close()


@pytest.mark.parametrize(
    ("fault", "executed"), [(Fault.REQUEST_LOST, 0), (Fault.REPLY_LOST, 1), (Fault.REQUEST_LATE, 0)]
)
def test_silence_lasts_until_patience_ends(
    proxy: FaultProxy, cluster_servers: ClusterServers, fault: Fault, executed: int
) -> None:
    cluster = through(proxy, cluster_servers)
    proxy.arm(fault, 0)
    with pytest.raises(OutcomeUnknown):
        cluster.run(COUNT, deadline_s=0.1)
    assert counted(cluster_servers) == executed
    assert proxy.deliver() is (fault is Fault.REQUEST_LATE)
    assert counted(cluster_servers) == executed + (fault is Fault.REQUEST_LATE)
    assert cluster.run(COUNT) == counted(cluster_servers)
    cluster.close()


def test_commands_of_a_pipeline_are_told_apart(proxy: FaultProxy, cluster_servers: ClusterServers) -> None:
    """What comes behind the one that never arrives does not arrive either."""
    cluster = through(proxy, cluster_servers)
    proxy.arm(Fault.REQUEST_LOST, 1)
    replies = cluster.run_many([COUNT] * 3, deadline_s=0.1)
    assert all(isinstance(reply, OutcomeUnknown) for reply in replies)
    assert counted(cluster_servers) == 1 and proxy.sent == ["INCR"] * 3
    cluster.close()


def test_what_was_refused_is_not_sent_again_when_no_time_is_left_for_an_answer(
    proxy: FaultProxy, cluster_servers: ClusterServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the last moment, and without an answer, it would be unknown, though it had certainly not run."""
    cluster = through(proxy, cluster_servers)
    node = cluster_servers.nodes[cluster_servers.index_of(MAIL.slot)]
    node.call("CONFIG", "SET", "maxmemory", 1)
    try:
        with pytest.raises(ServerFull):
            cluster.run(COUNT, deadline_s=1.0)
        assert len(proxy.sent) > 2, "with time it is tried again"
        proxy.watch()
        monkeypatch.setattr(trip, "_TIME_TO_ANSWER_S", 5.0)
        with pytest.raises(ServerFull):
            cluster.run(COUNT, deadline_s=4.0)
        assert proxy.sent == ["INCR"]
    finally:
        node.call("CONFIG", "SET", "maxmemory", 0)
        cluster.close()


def test_every_node_and_every_redirection_is_met_by_the_proxy(
    proxy: FaultProxy, moving_servers: ClusterServers
) -> None:
    cluster = through(proxy, moving_servers)
    ports = {proxy.ports[node.port] for node in moving_servers.nodes}
    assert {node.port for node in cluster.nodes()} == ports
    home = moving_servers.index_of(MAIL.slot)
    away = (home + 1) % 3
    assert cluster.run(COUNT) == 1
    moving_servers.begin_move(MAIL.slot, home, away)
    moving_servers.move_keys(home, away, MAIL.meta)
    try:
        assert cluster.run(COUNT) == 2, "after an ASK"
    finally:
        moving_servers.end_move(MAIL.slot, away)
    try:
        assert cluster.run(COUNT) == 3, "after a MOVED"
        assert {node.port for node in cluster.nodes()} <= ports
        assert len(proxy.sent) >= 6, "a redirected command comes twice, and ASKING before it"
    finally:
        moving_servers.move_slot(MAIL.slot, away, home)
        cluster.close()


# ---- found by the walk ---------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 1])
def test_what_is_asked_before_a_push_leaves_no_doubt_about_the_job(
    proxy: FaultProxy, cluster_servers: ClusterServers, at: int
) -> None:
    """A look at the announced types, the queue's registration: an unknown outcome of these without a jid left
    the application with nothing to push again."""

    class Hasty(Cluster):
        def run(self, command: Command, *, deadline_s: float = 10.0, replicas: int = 0) -> Any:
            return super().run(command, deadline_s=0.1, replicas=replicas)

    through(proxy, cluster_servers).close()
    hasty = Hasty(
        cluster_servers.settings(nodes=(("127.0.0.1", proxy.ports[cluster_servers.nodes[0].port]),))
    )
    hasty.nodes()
    client = Client(EngineConfig(hasty.settings), cluster=hasty)
    proxy.arm(Fault.REPLY_LOST, at)
    with pytest.raises(NodeDown, match="Nothing was pushed"):
        client.push("unheard.of", queue="mail")
    assert proxy.sent[at] == ["HGETALL", "register_queue"][at] and "push" not in proxy.sent
    client.close()


@pytest.mark.parametrize("verb", ["permit_release", "permit_revoke"])
@pytest.mark.parametrize("nth", range(3))
def test_a_permit_given_back_over_a_cut_connection_is_free(
    proxy: FaultProxy, throttle_servers: ThrottleServers, verb: str, nth: int
) -> None:
    """The server that every attempt asks first said full for another ten seconds."""
    urls = [
        one.url.replace(f":{one.server.port}", f":{proxy.lay(one.server.port)}")
        for one in throttle_servers.all
    ]
    servers = Servers(urls, answer_s=5.0)
    api = Semaphore(servers, "ganger", "api", 1)
    permit = api.attempt(this_process())
    assert isinstance(permit, Permit)
    api.inspect()
    proxy.watch()
    if verb == "permit_release":
        proxy.arm(Fault.REQUEST_CUT, nth)
        api.release(permit)
    else:
        proxy.arm(Fault.REQUEST_CUT, 3 + nth)  # after the three of a look
        assert api.force_release(permit.token, at_once=True)
    assert proxy.taken in (verb, "EVALSHA")
    assert isinstance(api.attempt(this_process()), Permit)
    servers.close()

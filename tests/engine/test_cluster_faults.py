"""Nodes that hang, die, fill up or refuse: what a caller hears, and that nothing runs twice unasked."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ganger.cluster import Cluster, Command
from ganger.errors import (
    ClusterUnavailable,
    GangerError,
    NodeDown,
    OutcomeUnknown,
    ServerBusy,
    ServerFull,
    WriteRefused,
)
from ganger.keys import Partition, partitions
from support.servers import ClusterServers, Server, wait_until

PARTS = partitions("test", "faulty", 12)


def at_node(servers: ClusterServers, index: int) -> Partition:
    return next(part for part in PARTS if servers.index_of(part.slot) == index)


def incr(part: Partition) -> Command:
    return Command(part.slot, ("INCR", part.meta))


def get(part: Partition) -> Command:
    return Command(part.slot, ("GET", part.meta))


@contextmanager
def paused(servers: ClusterServers, index: int) -> Iterator[None]:
    """Node `index` is stopped; afterwards the cluster is whole again (a pause may look like a death)."""
    servers.pause(index)
    try:
        yield
    finally:
        servers.resume(index)
        for node in servers.nodes:
            wait_until(lambda node=node: servers.state(node) == "ok")  # type: ignore[misc]


@contextmanager
def configured(node: Server, **options: str) -> Iterator[None]:
    """CONFIG SET for a while."""
    before = {name.replace("_", "-"): node.client.config_get(name.replace("_", "-")) for name in options}
    for name, value in options.items():
        node.call("CONFIG SET", name.replace("_", "-"), value)
    try:
        yield
    finally:
        for name, old in before.items():
            node.call("CONFIG SET", name, next(iter(old.values())))


def in_thread(call: Any) -> tuple[threading.Thread, list[Any]]:
    result: list[Any] = []

    def work() -> None:
        try:
            result.append(call())
        except GangerError as error:
            result.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, result


def test_silence_is_an_unknown_outcome_and_runs_once(rough: Cluster, rough_servers: ClusterServers) -> None:
    part = at_node(rough_servers, 0)
    assert rough.run(incr(part)) == 1
    with paused(rough_servers, 0):
        with pytest.raises(OutcomeUnknown, match=r"INCR was sent to 127\.0\.0\.1:\d+ but not answered"):
            rough.run(incr(part), deadline_s=0.2)
        assert isinstance(rough.run_many([incr(part)] * 2, deadline_s=0.2)[1], OutcomeUnknown)
    # Both were in the socket when the node woke: each ran once, no more.
    assert rough.run(get(part)) == b"4"


def test_a_hanging_node_is_asked_again_only_after_a_rest(rough_servers: ClusterServers) -> None:
    part = at_node(rough_servers, 0)
    cluster = Cluster(rough_servers.settings(socket_timeout_s=0.2, connect_timeout_s=0.2))
    assert cluster.run(incr(part)) == 1
    with paused(rough_servers, 0):
        with pytest.raises(OutcomeUnknown):
            cluster.run(incr(part), deadline_s=0.9)
        assert cluster.is_down(part.slot)
        started = time.monotonic()
        with pytest.raises(NodeDown, match="did not answer a moment ago"):
            cluster.run(incr(part))
        assert time.monotonic() - started < 1.0, "and did not wait for its deadline"
    wait_until(lambda: not cluster.is_down(part.slot))
    # One attempt before the rest: the own retry came after it, and the second caller never sent.
    assert cluster.run(get(part)) == b"2" and not cluster.is_down(part.slot)


def test_a_hanging_node_costs_the_others_nothing(rough: Cluster, rough_servers: ClusterServers) -> None:
    slow, quick, other = (at_node(rough_servers, index) for index in range(3))
    with paused(rough_servers, 0):
        thread, unknown = in_thread(lambda: rough.run(incr(slow), deadline_s=4.0))
        started = time.monotonic()
        for _ in range(50):
            rough.run_many([incr(quick), incr(other)])
        assert time.monotonic() - started < 3.0
        started = time.monotonic()
        replies = rough.run_many([incr(slow), incr(quick), incr(other)], deadline_s=1.0)
        assert time.monotonic() - started < 2.0
        assert isinstance(replies[0], OutcomeUnknown) and replies[1:] == [51, 51]
        thread.join()
    assert isinstance(unknown[0], OutcomeUnknown)


def test_repetitions_go_on_while_another_node_hangs(moving: Cluster, moving_servers: ClusterServers) -> None:
    slow, quick = at_node(moving_servers, 0), at_node(moving_servers, 1)
    moving.run(incr(quick))
    moving_servers.move_slot(quick.slot, 1, 2)
    try:
        with paused(moving_servers, 0):
            replies = moving.run_many([incr(slow), incr(quick)], deadline_s=1.5)
            assert isinstance(replies[0], OutcomeUnknown) and replies[1] == 2
    finally:
        moving_servers.move_slot(quick.slot, 2, 1)


def test_a_signal_handler_s_exception_leaves_no_reply_behind(
    rough: Cluster, rough_servers: ClusterServers
) -> None:
    class Enough(Exception):
        pass

    def handler(*_: object) -> None:
        raise Enough

    part = at_node(rough_servers, 0)
    rough.run(incr(part))
    old = signal.signal(signal.SIGALRM, handler)
    try:
        for call in (lambda: rough.run(incr(part)), lambda: rough.run_many([incr(part)])):
            with paused(rough_servers, 0):
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                with pytest.raises(Enough):
                    call()
            assert rough.run(get(part)) in (b"2", b"3")
    finally:
        signal.signal(signal.SIGALRM, old)


def test_a_full_server(rough: Cluster, rough_servers: ClusterServers) -> None:
    part, node = at_node(rough_servers, 1), rough_servers.nodes[1]
    drain = Command(
        part.slot, ("EVAL", "#!lua flags=allow-oom\nreturn redis.call('DEL', KEYS[1])", 1, part.meta)
    )
    rough.run(incr(part))
    with configured(node, maxmemory="1"):
        with pytest.raises(ServerFull, match=r"is full.*INCR was refused.*maxmemory"):
            rough.run(incr(part), deadline_s=1.0)
        assert rough.run(drain) == 1
        thread, result = in_thread(lambda: rough.run(incr(part)))
    thread.join()
    assert result == [1], "freed in time, so the call went through"


def test_a_node_that_does_not_serve_its_slot(rough: Cluster, rough_servers: ClusterServers) -> None:
    part, node = at_node(rough_servers, 1), rough_servers.nodes[1]
    rough.run(incr(part))
    node.call("CLUSTER DELSLOTS", part.slot)
    try:
        with pytest.raises(ClusterUnavailable, match="CLUSTERDOWN"):
            rough.run(incr(part), deadline_s=1.0)
        thread, result = in_thread(lambda: rough.run(incr(part)))
    finally:
        node.call("CLUSTER ADDSLOTS", part.slot)
        for one in rough_servers.nodes:
            wait_until(lambda one=one: rough_servers.state(one) == "ok")  # type: ignore[misc]
    thread.join()
    assert result == [2]


def test_a_node_that_loads_its_data(rough: Cluster, rough_servers: ClusterServers) -> None:
    part, node = at_node(rough_servers, 1), rough_servers.nodes[1]
    node.client.config_set("key-load-delay", 500)
    node.client.config_set("loading-process-events-interval-bytes", 1024)
    for number in range(1000):
        rough.run(Command(part.slot, ("SET", part.meta + b"%d" % number, "x" * 50)))
    thread = threading.Thread(target=node.call, args=("DEBUG RELOAD",))
    thread.start()
    probe = Cluster(rough_servers.settings())
    probe.nodes()
    replies: list[Any] = []
    while not any(isinstance(reply, ClusterUnavailable) for reply in replies) and thread.is_alive():
        replies = probe.run_many([get(part)], deadline_s=0.01)
    assert "LOADING" in str(replies[0])
    assert rough.run(incr(part)) == 1, "waited until it was loaded"
    thread.join()


def test_a_node_with_a_long_script(rough: Cluster, rough_servers: ClusterServers) -> None:
    part, node = at_node(rough_servers, 1), rough_servers.nodes[1]
    endless = Command(part.slot, ("EVAL", "#!lua\nwhile true do end", 1, part.meta), name="endless")
    with configured(node, busy_reply_threshold="50"):
        thread, result = in_thread(lambda: rough.run(endless))
        wait_until(lambda: isinstance(_try(rough, get(part)), ServerBusy))
        assert any("busy with a long script" in warning for warning in rough.check()), "a host can start"
        assert rough.run_on(rough.nodes()[1], ("SCRIPT", "KILL")) == b"OK"
        thread.join()
    assert "script endless failed" in str(result[0]) and rough.run(incr(part)) == 1


def _try(cluster: Cluster, command: Command) -> Any:
    return cluster.run_many([command], deadline_s=0.1)[0]


def test_a_primary_without_good_replicas(rough: Cluster, rough_servers: ClusterServers) -> None:
    part, node = at_node(rough_servers, 1), rough_servers.nodes[1]
    with configured(node, min_replicas_to_write="1"), pytest.raises(WriteRefused, match="NOREPLICAS"):
        rough.run(incr(part), deadline_s=1.0)
    assert rough.run(incr(part)) == 1


def test_replicas_must_confirm(replicated_servers: ClusterServers) -> None:
    cluster, part = Cluster(replicated_servers.settings()), at_node(replicated_servers, 2)
    assert cluster.run(incr(part), replicas=1) == 1
    assert cluster.run_many([incr(part)] * 3, replicas=1) == [2, 3, 4]
    replicated_servers.pause(5)
    try:
        with pytest.raises(OutcomeUnknown, match="only 0 of 1 replicas confirmed"):
            cluster.run(incr(part), replicas=1, deadline_s=2.5)
    finally:
        replicated_servers.resume(5)
    assert cluster.run(get(part), replicas=1) == b"5"


def test_a_killed_primary_s_replica_takes_over(replicated_servers: ClusterServers) -> None:
    lost, kept = at_node(replicated_servers, 0), at_node(replicated_servers, 1)
    cluster = Cluster(replicated_servers.settings())
    assert cluster.run(incr(lost), replicas=1) == 1 and cluster.run(incr(kept)) >= 1
    replicated_servers.kill(0)
    thread, result = in_thread(lambda: cluster.run(get(lost), deadline_s=20))
    refused = [reply for reply in cluster.run_many([get(lost), get(kept)], deadline_s=0.1) if reply is None]
    assert not refused
    thread.join()
    assert result == [b"1"], "the call that met the failure went on at the promoted replica"
    node = cluster.node_of(lost.slot)
    assert node and node.port == replicated_servers.nodes[3].port and not cluster.is_down(lost.slot)
    assert cluster.run(incr(lost)) == 2
    fresh = Cluster(replicated_servers.settings())
    assert fresh.run(get(lost)) == b"2" and len(fresh.nodes()) == 3


def test_the_prober_of_a_dead_node_is_told_at_once() -> None:
    """Whoever tries a node known to be down may have another place to go, and must not wait for its
    deadline."""
    with ClusterServers("valkey", primaries=2, password="top secret") as servers:
        servers.wait_ready()
        part = at_node(servers, 0)
        cluster = Cluster(servers.settings())
        assert cluster.run(incr(part)) == 1
        servers.kill(0)
        with pytest.raises((NodeDown, OutcomeUnknown)):
            cluster.run(incr(part), deadline_s=0.5)
        for _ in range(2):
            wait_until(lambda: not cluster.is_down(part.slot))
            started = time.monotonic()
            with pytest.raises(NodeDown):
                cluster.run(incr(part), deadline_s=5)
            assert time.monotonic() - started < 1.0

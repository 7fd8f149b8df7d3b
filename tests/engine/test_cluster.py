"""The transport on healthy servers: replies, errors, pipelines, threads, forks, pub/sub, checks."""

import contextlib
import hashlib
import os
import random
import select
import threading
from collections.abc import Callable
from functools import partial

import pytest

from ganger.cluster import Cluster, Command, Subscription
from ganger.config import parse_redis_url
from ganger.errors import (
    EvictionEnabled,
    NodeDown,
    NotACluster,
    RedisUnreachable,
    ScriptFailed,
    WrongPassword,
)
from ganger.keys import partitions
from support.servers import ClusterServers, Standalone, free_port

PARTS = partitions("test", "mail", 12)
ECHO = "#!lua\nreturn {ARGV[1], KEYS[1]}"


def echo(index: int, token: object) -> Command:
    part = PARTS[index % 12]
    return Command(part.slot, ("EVAL", ECHO, 1, part.meta, str(token)))


def test_run_answers_in_bytes(cluster: Cluster) -> None:
    part = PARTS[0]
    assert cluster.run(Command(part.slot, ("SET", part.meta, 1.5))) == b"OK"
    assert cluster.run(Command(part.slot, (b"GET", part.meta))) == b"1.5"
    assert cluster.run(Command(part.slot, ("GET", part.memo))) is None
    assert cluster.run(echo(3, "ü")) == ["ü".encode(), PARTS[3].meta]


def test_run_many_keeps_the_order_and_tells_errors_apart(cluster: Cluster) -> None:
    commands = [echo(n, n) for n in range(40)]
    commands[7] = Command(PARTS[7].slot, ("NOSUCH", PARTS[7].meta, "private"), name="odd")
    replies = cluster.run_many(commands)
    assert [reply[0] for n, reply in enumerate(replies) if n != 7] == [b"%d" % n for n in range(40) if n != 7]
    assert isinstance(replies[7], ScriptFailed) and "script odd failed" in str(replies[7])
    assert cluster.run_many([]) == []


def test_a_failing_command_raises_with_its_name(cluster: Cluster) -> None:
    part = PARTS[0]
    cluster.run(Command(part.slot, ("SET", part.meta, "x")))
    with pytest.raises(ScriptFailed, match=r"^LPUSH failed on Redis node 127\.0\.0\.1:\d+: WRONGTYPE"):
        cluster.run(Command(part.slot, ("LPUSH", part.meta, "x")))
    assert cluster.run(Command(part.slot, ("GET", part.meta))) == b"x"


def test_large_requests_and_replies(cluster: Cluster) -> None:
    body = random.Random(1).randbytes(5_000_000)
    sets = [Command(part.slot, ("SET", part.meta, body)) for part in PARTS[:4]]
    assert cluster.run(sets[0]) == b"OK"
    assert cluster.run_many(sets) == [b"OK"] * 4
    gets = [Command(part.slot, ("GET", part.meta)) for part in PARTS[:4]]
    assert cluster.run(gets[0]) == body
    assert cluster.run_many(gets) == [body] * 4


def test_noscript_is_cured_by_the_source(cluster: Cluster) -> None:
    part = PARTS[5]
    source = b"#!lua\nreturn redis.call('INCR', KEYS[1])"
    calls = [
        Command(part.slot, (b"EVALSHA", _sha(source), 1, part.meta), (b"EVAL", source), "incr")
        for _ in range(6)
    ]
    assert cluster.run(calls[0]) == 1
    node = cluster.node_of(part.slot)
    assert node is not None
    cluster.run_on(node, ("SCRIPT", "FLUSH"))
    assert cluster.run_many(calls) == [2, 3, 4, 5, 6, 7]
    cluster.run_on(node, ("SCRIPT", "FLUSH"))
    assert cluster.run(calls[0]) == 8
    assert cluster.run_on(node, ("SCRIPT", "EXISTS", _sha(source))) == [1]


def _sha(source: bytes) -> str:
    return hashlib.sha1(source).hexdigest()


def test_nodes_and_slots(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    ports = [node.port for node in cluster_servers.nodes]
    assert [node.port for node in cluster.nodes()] == ports
    for slot in (0, 5000, 9000, 16383):
        node = cluster.node_of(slot)
        assert node and node.port == ports[cluster_servers.index_of(slot)] and not cluster.is_down(slot)
    assert cluster.check() == []


def test_threads_share_a_cluster(cluster: Cluster) -> None:
    wrong: list[object] = []

    def work(name: int) -> None:
        for n in range(150):
            token = f"{name}-{n}"
            reply = cluster.run(echo(n, token))
            many = cluster.run_many([echo(n + k, f"{token}-{k}") for k in range(3)])
            if reply[0] != token.encode() or [r[0] for r in many] != [
                f"{token}-{k}".encode() for k in range(3)
            ]:
                wrong.append((token, reply, many))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_forked_child_connects_anew(cluster: Cluster) -> None:
    node = cluster.nodes()[0]
    before = cluster.run_on(node, ("CLIENT", "ID"))
    go_read, go_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.read(go_read, 1)
            ids = cluster.run_on(node, ("CLIENT", "ID"))
            right = all(cluster.run(echo(n, f"child{n}"))[0] == f"child{n}".encode() for n in range(200))
            status = 0 if right and ids != before else 2
        finally:
            os._exit(status)
    os.write(go_write, b"x")
    for n in range(200):
        assert cluster.run(echo(n, f"parent{n}"))[0] == f"parent{n}".encode()
    assert cluster.run_on(node, ("CLIENT", "ID")) == before
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(go_read)
    os.close(go_write)


def test_a_closed_connection_is_replaced_unseen(cluster: Cluster) -> None:
    node = cluster.node_of(PARTS[0].slot)
    assert node is not None
    for _ in range(3):
        assert cluster.run(echo(0, "a"))[0] == b"a"
        cluster.run_on(node, ("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
        cluster.close()
        assert cluster.run_many([echo(0, "b"), echo(1, "c")])[0][0] == b"b"


def read_until(subscription: Subscription, done: Callable[[], bool]) -> list[tuple[bytes, bytes]]:
    """All messages read until `done`, waiting on the subscription's descriptor."""
    poller = select.poll()
    poller.register(subscription, select.POLLIN)
    messages: list[tuple[bytes, bytes]] = []
    for _ in range(100):
        messages += subscription.read()
        if messages or done():
            return messages
        poller.poll(100)
    raise AssertionError("nothing came")


def test_sharded_pubsub(cluster: Cluster) -> None:
    part = PARTS[0]
    node = cluster.node_of(part.slot)
    assert node is not None
    mine = [p.wake for p in PARTS if cluster.node_of(p.slot) == node]
    elsewhere = [p.wake for p in PARTS if cluster.node_of(p.slot) != node]
    with contextlib.closing(cluster.connection(node)) as subscription:
        subscription.ssubscribe([*mine, *elsewhere])
        subscription.ping()
        # The pong comes after the answers to all subscriptions.
        read_until(subscription, lambda: subscription.dropped == elsewhere and not subscription.pending)
        assert cluster.run(Command(part.slot, ("SPUBLISH", part.wake, "9"))) == 1
        assert read_until(subscription, lambda: False) == [(part.wake, b"9")]
        assert subscription.read() == []
        cluster.run_on(node, ("CLIENT", "KILL", "TYPE", "pubsub"))
        with pytest.raises(NodeDown, match="subscribe again"):
            read_until(subscription, lambda: False)


def test_wrong_password(cluster_servers: ClusterServers) -> None:
    for password in ("wrong s3cret", None):
        cluster = Cluster(cluster_servers.settings(password=password))
        for call in (cluster.check, cluster.nodes, partial(cluster.run, echo(0, 1))):
            with pytest.raises(WrongPassword, match="GANGER_REDIS") as caught:
                call()
            assert "s3cret" not in str(caught.value)


def test_no_server_at_all(cluster_servers: ClusterServers) -> None:
    port = free_port()
    cluster = Cluster(cluster_servers.settings(nodes=(("127.0.0.1", port),), password="s3cret"))
    with pytest.raises(RedisUnreachable, match=rf"127\.0\.0\.1:{port} \(connection refused\)") as caught:
        cluster.run(echo(0, 1), deadline_s=1.0)
    assert "s3cret" not in str(caught.value)
    unresolvable = Cluster(cluster_servers.settings(nodes=(("no-such-host.invalid", 1),)))
    with pytest.raises(RedisUnreachable, match="can't be resolved"):
        unresolvable.nodes(deadline_s=1.0)


def test_one_dead_seed_does_no_harm(cluster_servers: ClusterServers) -> None:
    nodes = (("127.0.0.1", free_port()), *cluster_servers.settings().nodes)
    cluster = Cluster(cluster_servers.settings(nodes=nodes))
    assert cluster.run(echo(0, "x"))[0] == b"x" and cluster.check() == []


def test_a_server_without_cluster_mode() -> None:
    with Standalone(password="pw") as standalone:
        cluster = Cluster(parse_redis_url(standalone.url))
        for call in (cluster.check, lambda: cluster.run(echo(0, 1))):
            with pytest.raises(NotACluster, match="cluster-enabled yes"):
                call()


def test_eviction_is_refused(rough: Cluster) -> None:
    node = rough.nodes()[1]
    try:
        rough.run_on(node, ("CONFIG", "SET", "maxmemory", "1gb", "maxmemory-policy", "allkeys-lru"))
        with pytest.raises(EvictionEnabled, match="noeviction"):
            rough.check()
    finally:
        rough.run_on(node, ("CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction"))

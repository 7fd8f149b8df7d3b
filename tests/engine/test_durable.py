"""What a producer is told who wants its jobs on a replica, or on disk, before a push returns."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count

import pytest

from ganger.batch import mint_bid
from ganger.client import Client
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.durability import OnDisk, shortfall
from ganger.errors import BadSettings, NoDisk, OutcomeUnknown
from ganger.jid import mint
from ganger.keys import BatchKeys, OnceMark, Partition, partitions
from ganger.operations import batch, enqueue, look, once
from ganger.operations.enqueue import NewJob
from support.batches import CONTROL
from support.servers import ClusterServers, Server, binary_path, wait_until


def _at(servers: ClusterServers, index: int) -> Partition:
    places = partitions("ganger", "durable", 12)
    return next(place for place in places if servers.index_of(place.slot) == index)


@pytest.mark.parametrize("delayed", [False, True])
def test_a_repeat_is_no_better_confirmed_than_the_push_it_repeats(
    replicated_servers: ClusterServers, delayed: bool
) -> None:
    """The job is in, at the primary; pushed again on another connection, it still waits for the replica."""
    place = _at(replicated_servers, 2)
    jobs = [NewJob(mint("durable", place.index)[0], "shop.send", b"{}")]

    def push() -> bool:
        cluster = Cluster(replicated_servers.settings())
        try:
            if delayed:
                return enqueue.schedule(cluster, place, 5, jobs, delay_ms=60_000, deadline_s=1.5, replicas=1)
            return enqueue.push(cluster, place, 5, jobs, deadline_s=1.5, replicas=1)
        finally:
            cluster.close()

    replicated_servers.pause(5)
    try:
        for _ in range(2):
            with pytest.raises(OutcomeUnknown, match="only 0 of 1 replicas"):
                push()
    finally:
        replicated_servers.resume(5)
    assert push() is False


@pytest.mark.parametrize("step", ["register", "create", "commit", "adopt", "once", "once done"])
def test_a_repeat_of_what_makes_a_batch_or_a_mark_is_no_better_confirmed(
    replicated_servers: ClusterServers, step: str
) -> None:
    """The list on which the scheduler finds a batch lies elsewhere, and waits for its replica as well."""
    minted = iter(mint_bid, "")
    keys = next(
        keys for bid in minted if replicated_servers.index_of((keys := BatchKeys("ganger", bid)).slot) == 2
    )
    mark = next(
        mark
        for number in count()
        if replicated_servers.index_of((mark := OnceMark("ganger", f"{step}-{number}")).slot) == 2
    )
    holder = once.Holder("token")
    acts: dict[str, Callable[[Cluster], object]] = {
        "register": lambda cluster: batch.register(cluster, CONTROL, keys.bid, replicas=1),
        "create": lambda cluster: batch.create(cluster, keys, {"bid": keys.bid}, replicas=1),
        "commit": lambda cluster: batch.commit(cluster, keys, replicas=1),
        "adopt": lambda cluster: cluster.run(batch.adopt_command(keys, f"{keys.bid}:1"), replicas=1),
        "once": lambda cluster: once.begin(
            cluster, mark, holder, pending_ms=60_000, ttl_ms=60_000, again=False, deadline_s=1.5, replicas=1
        ),
    }
    acts["once done"] = acts["once"]
    assert replicated_servers.index_of(CONTROL.slot) == 2
    with closing(Cluster(replicated_servers.settings())) as cluster:
        if step in ("commit", "adopt"):
            batch.create(cluster, keys, {"bid": keys.bid})
        if step == "once done":  # which somebody else is told
            assert once.end(cluster, mark, once.Holder("another"), "done", b"{}", ttl_ms=60_000)
    replicated_servers.pause(5)
    try:
        for _ in range(2):
            with (
                closing(Cluster(replicated_servers.settings())) as cluster,
                pytest.raises(OutcomeUnknown, match="only 0 of 1 replicas"),
            ):
                acts[step](cluster)
    finally:
        replicated_servers.resume(5)


@pytest.fixture(scope="module")
def on_disk() -> Iterator[ClusterServers]:
    """A primary and its replica, with append-only files."""
    options = ("--appendonly", "yes", "--appendfsync", "always")
    with ClusterServers("valkey", primaries=1, replicas=1, options=options) as servers:
        yield servers


def _client(servers: ClusterServers, **settings: float) -> Client:
    return Client(EngineConfig(servers.settings(**settings)), durability="fsynced")


def _held(client: Client, queue: str) -> int:
    places = client.pusher.places(queue)
    looks = client.cluster.run_many([look.look_command(place) for place in places])
    return sum(look.parse_look(reply, place).ready for reply, place in zip(looks, places, strict=True))


def test_a_push_returns_when_it_is_on_both_disks(on_disk: ClusterServers) -> None:
    client = _client(on_disk)
    jid = client.push("durable.send", [1])
    assert client.push("durable.send", [1], jid=jid) == jid
    client.push_many("durable.send", [(number,) for number in range(20)])
    assert _held(client, "default") == 21


def test_a_replica_without_its_disk_is_told_with_the_jids(on_disk: ClusterServers) -> None:
    client = _client(on_disk)
    client.push("durable.send", [1], queue="told")
    on_disk.nodes[1].call("CONFIG", "SET", "appendonly", "no")
    try:
        jobs = [NewJob(mint("told", 3)[0], "durable.send", b"{}")]
        with pytest.raises(
            OutcomeUnknown, match="only 0 of 1 replicas confirmed in time that it is on disk"
        ) as told:
            enqueue.push(
                client.cluster,
                client.pusher.places("told")[3],
                5,
                jobs,
                deadline_s=2.5,
                replicas=client.replicas,
            )
        assert told.value.jids == (jobs[0].jid,)
    finally:
        on_disk.nodes[1].call("CONFIG", "SET", "appendonly", "yes")


def test_a_server_without_a_file_is_named_before_anything_is_in(replicated_servers: ClusterServers) -> None:
    client = _client(replicated_servers)
    with pytest.raises(NoDisk, match="appendonly"):
        client.push("durable.send", [1], queue="nodisk")
    with pytest.raises(NoDisk, match="can't do durability = fsynced"):
        client.cluster.check_disks()
    assert _held(Client(EngineConfig(replicated_servers.settings())), "nodisk") == 0


def _follows(node: Server) -> bool:
    return node.client.info("replication").get("master_link_status") == "up"


def test_a_primary_that_has_become_a_replica_is_no_reason_to_refuse(on_disk: ClusterServers) -> None:
    """Nobody may have told this process of the failover yet."""
    client = _client(on_disk)
    client.cluster.nodes()
    for heir, old in ((1, 0), (0, 1)):
        on_disk.nodes[heir].call("CLUSTER FAILOVER")
        wait_until(partial(_follows, on_disk.nodes[old]))
        client.cluster.check_disks()


@pytest.mark.skipif(binary_path("redis") is None, reason="no redis-server of 7.0 or newer on PATH")
def test_a_server_that_is_too_old_is_named(cluster_servers: ClusterServers) -> None:
    client = _client(cluster_servers)
    with pytest.raises(NoDisk, match=r"Redis 7\.2 or newer, or Valkey"):
        client.push_many("durable.send", [(1,), (2,)])


def test_there_are_three_levels(replicated_servers: ClusterServers) -> None:
    with pytest.raises(BadSettings, match="fast, replicated, fsynced"):
        Client(EngineConfig(replicated_servers.settings()), durability="eternal")


@pytest.mark.parametrize(
    ("replicas", "answer", "missing"),
    [
        (1, 1, ""),
        (1, 0, "only 0 of 1 replicas"),
        (1, b"no number", "only 0 of 1"),
        (OnDisk(1), [1, 1], ""),
        (OnDisk(1), [1, 0], "only 0 of 1 replicas"),
        (OnDisk(2), [1, 1], "only 1 of 2 replicas"),
        (OnDisk(1), [0, 1], "the primary has not"),
        (OnDisk(1), 1, "was answered with: 1"),
        (OnDisk(1), ["x", 1], "was answered with"),
    ],
)
def test_what_is_missing_is_said(replicas: int, answer: object, missing: str) -> None:
    told = shortfall(replicas, answer)
    assert (missing in told) if missing else not told

"""What a chaos run finds on its servers that belongs to nobody, each planted there."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from chaos.kinds import NAMESPACE, ODD, PARTITIONS
from chaos.leftovers import consumers, fixed_keys, is_stray, strays
from ganger import Batch, Client, job
from ganger.calls import open_partition
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.config import EngineConfig
from ganger.keys import BatchKeys, Control, partitions
from ganger.operations import batch as batches
from ganger.operations import control
from support.servers import ClusterServers

PLACE = partitions(NAMESPACE, ODD, PARTITIONS)[3]
STREAM = PLACE.ready[4]
BID = "b-" + "0" * 21


@job(name="waits", queue=ODD)
def waits() -> None:
    """Nobody runs it."""


@pytest.fixture
def world(cluster: Cluster, cluster_servers: ClusterServers) -> Any:
    """As much of one as is looked at: with a queue, and two lives of a master."""
    keys = Control(NAMESPACE)
    control.register_queue(cluster, keys, ODD)
    for place in partitions(NAMESPACE, ODD, PARTITIONS):
        open_partition(cluster, place)
    nodes = dict(enumerate(cluster_servers.nodes))
    jobs = SimpleNamespace(nodes=nodes, primaries=lambda: range(cluster_servers.primaries))
    hosts = [SimpleNamespace(logs=lambda: ["log.1", "log.2"])]
    return SimpleNamespace(cluster=cluster, keys=keys, jobs=jobs, hosts=hosts)


@pytest.fixture
def call(cluster: Cluster) -> Callable[..., Any]:
    return lambda *words: cluster.run(Command(PLACE.slot, words))


def test_of_each_master_one_consumer_may_stay(world: Any, call: Callable[..., Any]) -> None:
    for name in ("a" * 16, "b" * 16):
        call("XGROUP", "CREATECONSUMER", STREAM, "workers", name)
    assert consumers(world) == []
    assert call("XINFO", "CONSUMERS", STREAM, "workers") == []


def test_more_consumers_than_masters_or_strange_ones_are_a_leak(world: Any, call: Callable[..., Any]) -> None:
    for name in ("a" * 16, "b" * 16, "c" * 16):
        call("XGROUP", "CREATECONSUMER", STREAM, "workers", name)
    assert consumers(world) == ["3 consumers, of 2 masters that there have been"]
    call("XGROUP", "CREATECONSUMER", STREAM, "workers", "somebody")
    (text,) = consumers(world)
    assert text.startswith("partition odd/3: strange consumers ['somebody'] in")


def test_a_consumer_that_holds_something_stays(world: Any, call: Callable[..., Any]) -> None:
    call("XADD", STREAM, "*", "a", "b")
    call("XREADGROUP", "GROUP", "workers", "a" * 16, "STREAMS", STREAM, ">")
    (text,) = consumers(world)
    assert text.startswith("partition odd/3: 1 consumers in")


def test_a_key_that_nobody_knows_is_a_leak_unless_it_ends(world: Any, call: Callable[..., Any]) -> None:
    assert strays(world) == []
    stray = PLACE.meta.removesuffix(b"meta") + b"forgotten"
    call("SET", stray, "x", "PX", 100_000)
    assert strays(world) == []
    call("SET", stray, "x")
    assert strays(world) == [f"key {stray!r} belongs to nothing, and never ends"]


def test_a_batch_that_is_not_looked_at_must_end(world: Any, cluster_servers: ClusterServers) -> None:
    client = Client(EngineConfig(redis=cluster_servers.settings()))
    with Batch(client=client) as batch:
        batch.push(waits)
    client.close()
    assert strays(world) == []
    batches.retire(world.cluster, world.keys, [batch.bid], [], deadline_s=10)
    found = strays(world)
    assert found and all(batch.bid in text for text in found)


@pytest.mark.parametrize(
    ("key", "stray"),
    [
        (BatchKeys(NAMESPACE, BID).head, False),
        (BatchKeys(NAMESPACE, BID).outbox, False),
        (BatchKeys(NAMESPACE, "b-" + "1" * 21).head, True),
        (BatchKeys(NAMESPACE, BID).head + b"s", True),
        (BatchKeys("others", BID).head, True),
        (b"anything", True),
    ],
)
def test_keys_of_a_batch_that_is_looked_at_may_stay(key: bytes, stray: bool) -> None:
    assert is_stray(key, {BID}) == stray


def test_every_key_of_a_partition_is_known() -> None:
    assert {PLACE.meta, PLACE.memo, *PLACE.streams, *PLACE.jobs, *PLACE.ends, PLACE.parked} <= fixed_keys()
    assert Control(NAMESPACE).batches_live in fixed_keys()

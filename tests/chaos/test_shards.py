"""Slots and shards on the move in the harness's own cluster."""

import signal
import threading
from functools import partial

import pytest

from chaos import shards
from chaos.nemesis import NotNow
from chaos.servers import JobServers
from chaos.view import read_view
from support.server import wait_until


def fill(cluster: JobServers, count: int = 30) -> None:
    """Two keys in each of `count` slots, and at the replicas."""
    owners = cluster.view().values()
    for number in range(count * 2):
        key = f"{{{number // 2}}}{number}"
        slot = int(cluster.nodes[next(iter(cluster.nodes))].call("CLUSTER", "KEYSLOT", key))
        owner = next(known.ident for known in owners if known.has(slot))
        cluster.nodes[owner].call("SET", key, number)
    for ident in cluster.primaries():
        cluster.nodes[ident].call("WAIT", 1, 5000)


def total(cluster: JobServers) -> int:
    return sum(int(cluster.nodes[ident].client.dbsize()) for ident in cluster.primaries())


def test_a_shard_comes_gets_slots_with_their_keys_and_leaves_without_any(job_servers: JobServers) -> None:
    fill(job_servers)
    before = job_servers.primaries()

    added = shards.add_shard(job_servers)
    given = [job_servers.keyed_slots(ident)[0] for ident in before]
    moved = shards.give_slots(job_servers, given, added)
    during = job_servers.primaries(), total(job_servers)
    drained = shards.drain_shard(job_servers, added)

    assert (moved, drained) == (6, 6)
    assert during == (sorted([*before, added]), 60)
    assert (job_servers.primaries(), len(job_servers.nodes), total(job_servers)) == (before, 6, 60)


def test_a_cluster_keeps_three_shards(job_servers: JobServers) -> None:
    with pytest.raises(NotNow):
        shards.drain_shard(job_servers, job_servers.primaries()[0])


def test_a_slot_moves_though_the_replica_said_nothing_for_a_while(job_servers: JobServers) -> None:
    fill(job_servers)
    source, target, _ = job_servers.primaries()
    slot = job_servers.keyed_slots(source)[0]
    replica = job_servers.nodes[job_servers.replicas(target)[0]]

    def refused() -> bool:
        return "errorstat_NOREPLICAS" in job_servers.nodes[target].client.info("errorstats")

    try:
        stop = partial(replica.signal, signal.SIGSTOP)
        mover = threading.Thread(target=shards.move_slot, args=(job_servers, slot, target, stop))
        mover.start()
        wait_until(refused, what="a refusal")
    finally:
        replica.signal(signal.SIGCONT)
    mover.join()
    assert (job_servers.owner(slot), total(job_servers)) == (target, 60)


def test_a_move_that_stopped_half_way_is_ended(job_servers: JobServers) -> None:
    fill(job_servers)
    source, target, _ = job_servers.primaries()
    slot = job_servers.keyed_slots(source)[0]

    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        shards.move_slot(job_servers, slot, target, stop)
    assert shards.open_moves(job_servers) == [(slot, source, target)]
    shards.finish_moves(job_servers)

    assert (shards.open_moves(job_servers), job_servers.owner(slot), total(job_servers)) == ([], target, 60)
    shards.move_slot(job_servers, slot, source)


def test_one_nemesis_at_a_time_has_the_cluster(job_servers: JobServers) -> None:
    with job_servers.turn(), pytest.raises(NotNow), job_servers.turn(0):
        pass


def test_a_view_is_read_with_its_roles_and_without_what_is_on_its_way() -> None:
    text = (
        "aa 127.0.0.1:7000@17000,,shard-id=5 myself,master - 0 0 3 connected 0-10 12 [93->-bb]\n"
        "bb 127.0.0.1:7001@17001 slave,fail? aa 0 1 3 disconnected\n"
    )
    seen = read_view(text)
    assert (seen["aa"].port, seen["aa"].slots, seen["aa"].flags) == (
        7000,
        ((0, 10), (12, 12)),
        frozenset({"master"}),
    )
    assert (seen["bb"].primary_id, seen["bb"].flags, seen["bb"].serves) == (
        "aa",
        frozenset({"slave", "fail?"}),
        False,
    )

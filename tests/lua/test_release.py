"""release: working -> returned, in order, only what is the caller's."""

from typing import Any

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import BLANK, Entry
from ganger.operations import failing
from support.keyspace import (
    HOST,
    MAIL,
    OTHER_HOST,
    add,
    counter,
    ids,
    lease,
    opened,
    run,
    snapshot,
)
from support.servers import ClusterServers


def release(cluster: Cluster, *words: Any, consumer: str = HOST) -> Any:
    return run(
        cluster, "release", (MAIL.meta, MAIL.memo, *MAIL.ends, *MAIL.streams), *ids(), consumer, *words
    )


def test_jobs_come_back_in_order_with_priority_and_state(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    opened(cluster)
    add(cluster, "1-1", "old", s="[2]")
    add(cluster, "2-1", "new", s="[3]")
    add(cluster, "1-1", "again", stream=0, p="8")
    lease(cluster, 2)
    lease(cluster, stream=0)
    reply = release(cluster, 5, "1-1", 0, "", 5, "2-1", 1, "[4]", 0, "1-1", 0, "")
    assert reply == [b"released", b"moved", b"moved", b"moved"]
    found = snapshot(cluster_servers)
    entries, leases = found[MAIL.returned]
    rows = [(row[b"j"], row[b"p"], row[b"s"], row[b"t"], row[b"b"]) for _, row in entries]
    assert rows == [
        (b"old", b"5", b"[2]", b"shop.send", b"{}"),
        (b"new", b"5", b"[4]", b"shop.send", b"{}"),
        (b"again", b"8", b"", b"shop.send", b"{}"),
    ]
    assert (leases, found[MAIL.ready[4]]) == ([], ([], []))
    assert counter(cluster, "released") == 3


def test_what_is_gone_or_another_s_stays(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    add(cluster, "1-1")
    lease(cluster, consumer=OTHER_HOST)
    before = snapshot(cluster_servers)
    assert release(cluster, 5, "1-1", 0, "", 5, "9-9", 0, "") == [b"released", b"stolen", b"gone"]
    assert snapshot(cluster_servers) == before


def test_a_lost_delivery_is_counted_as_lost(cluster: Cluster) -> None:
    opened(cluster)
    add(cluster, "1-1", "lost")
    add(cluster, "2-1", "unstarted")
    lease(cluster, 2)
    assert release(cluster, 5, "1-1", 2, "[4]", 5, "2-1", 0, "") == [b"released", b"moved", b"moved"]
    assert (counter(cluster, "lost"), counter(cluster, "released")) == (1, 1)


def test_a_repeat_finds_it_gone(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    add(cluster, "1-1")
    lease(cluster)
    release(cluster, 5, "1-1", 0, "")
    before = snapshot(cluster_servers)
    assert release(cluster, 5, "1-1", 0, "") == [b"released", b"gone"]
    assert snapshot(cluster_servers) == before


def test_a_host_gives_back_thousands_at_once(cluster: Cluster) -> None:
    """More than Lua can unpack in one call, and more than a node should be busy with."""
    opened(cluster)
    words = ("j", "j1", "t", "shop.send", "b", "{}")
    cluster.run_many(
        [Command(MAIL.slot, ("XADD", MAIL.ready[4], f"{n + 1}-1", *words)) for n in range(2_100)]
    )
    held = [Entry(MAIL, 5, id, "j1", "shop.send", BLANK, b"") for id in lease(cluster, 2_100)]
    outcomes = failing.release(cluster, MAIL, HOST, [(entry, None) for entry in held])
    assert outcomes == [failing.Outcome.MOVED] * 2_100
    assert counter(cluster, "released") == 2_100

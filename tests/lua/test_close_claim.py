"""close_claim: what a dead worker took comes to light; what it asked for never runs."""

from typing import Any

from ganger.cluster import Cluster
from ganger.operations import claim, settle
from support.keyspace import HOST, MAIL, WORKER, add, opened, run, snapshot
from support.servers import ClusterServers


def close(cluster: Cluster, op: int) -> Any:
    keys = (MAIL.meta, MAIL.memo, *MAIL.streams)
    return run(cluster, "close_claim", keys, HOST, WORKER, op)


def take(cluster: Cluster, op: int) -> Any:
    return cluster.run(claim.command(MAIL, HOST, WORKER, op, 50_000, 64, 1 << 20, {"shop.send": 1}))


def test_a_claim_that_ran_is_shown_as_far_as_it_is_held(cluster: Cluster) -> None:
    opened(cluster)
    for place in range(1, 4):
        add(cluster, f"{place}-1")
    add(cluster, "1-1", stream=9)
    take(cluster, 1)
    cluster.run(settle.command(MAIL, "succeeded", {5: [b"2-1"]}))
    assert close(cluster, 1) == [b"closed", 9, b"1-1", 5, b"1-1", 5, b"3-1"]
    assert close(cluster, 1) == [b"closed", 9, b"1-1", 5, b"1-1", 5, b"3-1"]


def test_a_claim_that_did_not_run_never_will(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    add(cluster, "1-1")
    assert close(cluster, 4) == [b"closed"]
    before = snapshot(cluster_servers)
    assert take(cluster, 4) == [b"refused"]
    assert take(cluster, 3) == [b"refused"]
    assert snapshot(cluster_servers) == before
    assert take(cluster, 5)[0] == b"claimed"


def test_an_older_op_does_not_reopen_a_newer_one(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    add(cluster, "1-1")
    take(cluster, 5)
    before = snapshot(cluster_servers)
    assert close(cluster, 4) == [b"closed"]
    assert snapshot(cluster_servers) == before

"""batch_create: a batch, open and empty, all its keys in one slot and there."""

from ganger.cluster import Cluster
from ganger.operations import batch
from support.batches import made, ttl_ms
from support.keyspace import snapshot
from support.servers import ClusterServers

DAY_MS = 24 * 3600 * 1000


def test_all_keys_are_there(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    keys = made(cluster, "complete", description="import 42")
    found = snapshot(cluster_servers)
    assert (found[keys.ended], found[keys.ok], found[keys.outbox]) == (b"\0", b"\0", {b"": b""})
    head = found[keys.head]
    assert head.pop(b"complete_job").startswith(b"- mail 3 12 5 now 0 -\n")
    assert head.pop(b"created_ms") == head.pop(b"active_ms")
    assert head == {
        b"state": b"open",
        b"total": b"0",
        b"ended": b"0",
        b"ok": b"0",
        b"bid": keys.bid.encode(),
        b"description": b"import 42",
    }
    assert 29 * DAY_MS < ttl_ms(cluster, keys) <= 30 * DAY_MS


def test_a_repeat_changes_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    keys = made(cluster, members=2, committed=True)
    before = snapshot(cluster_servers)
    batch.create(cluster, keys, {"description": "another"})
    assert snapshot(cluster_servers) == before

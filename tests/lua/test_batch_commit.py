"""batch_commit: from here on callbacks may fire, at once where everything has ended."""

import pytest

from ganger.cluster import Cluster
from ganger.errors import BatchNotFound
from ganger.keys import BatchKeys
from ganger.operations import batch
from support.batches import fired, made, mark, owed, ttl_ms
from support.keyspace import snapshot
from support.servers import ClusterServers


def test_nothing_fires_before(cluster: Cluster) -> None:
    keys = made(cluster, "complete", "success", members=1)
    mark(cluster, keys, {0: "succeeded"})
    assert fired(cluster, keys) == {}
    assert batch.commit(cluster, keys) == 1
    assert fired(cluster, keys) == {"complete": "fired"}
    assert owed(cluster, keys) == {"j": b"shop.complete "}


def test_an_empty_batch_fires(cluster: Cluster) -> None:
    keys = made(cluster, "success", committed=True)
    assert fired(cluster, keys) == {"complete": "none", "success": "fired"}
    assert owed(cluster, keys) == {"j": b"shop.success "}
    bare = made(cluster, committed=True)
    assert fired(cluster, bare) == {"complete": "none", "success": "none"}
    assert 0 < ttl_ms(cluster, bare) <= 24 * 3600 * 1000


def test_with_members_under_way_it_waits_for_them(cluster: Cluster) -> None:
    keys = made(cluster, "complete", members=2, committed=True)
    assert fired(cluster, keys) == {}
    assert ttl_ms(cluster, keys) == -1


def test_a_repeat_changes_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    keys = made(cluster, "complete", committed=True)
    before = snapshot(cluster_servers)
    assert batch.commit(cluster, keys) == 1
    assert snapshot(cluster_servers) == before


def test_where_there_is_no_batch_nothing_changes(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    with pytest.raises(BatchNotFound):
        batch.commit(cluster, BatchKeys("ganger", "b-" + "0" * 21))
    assert snapshot(cluster_servers) == {}


def test_bits_that_were_set_before_stay(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    keys = made(cluster, members=20)
    mark(cluster, keys, {0: "succeeded", 9: "dead", 19: "succeeded"})
    batch.commit(cluster, keys)
    found = snapshot(cluster_servers)
    assert (found[keys.ended], found[keys.ok]) == (b"\x80\x40\x10", b"\x80\x00\x10")

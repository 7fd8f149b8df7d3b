"""batch_adopt: a batch learns which member of its parent it is, and says what it should have said before."""

import pytest

from ganger.cluster import Cluster
from ganger.errors import BatchNotFound
from ganger.keys import BatchKeys
from ganger.operations import batch
from support.batches import head, made, mark, owed
from support.keyspace import snapshot
from support.servers import ClusterServers

PARENT = "b-" + "1" * 21


def adopt(cluster: Cluster, keys: BatchKeys, parent: str = f"{PARENT}:7") -> int:
    return batch.parse_owes(cluster.run(batch.adopt_command(keys, parent)), keys)


def test_the_first_number_stands(cluster: Cluster) -> None:
    keys = made(cluster, members=1)
    assert adopt(cluster, keys) == 0
    assert adopt(cluster, keys, f"{PARENT}:8") == 0
    assert head(cluster, keys)["parent"] == f"{PARENT}:7"


def test_a_child_that_is_done_already_tells_it_now(cluster: Cluster) -> None:
    keys = made(cluster, members=1, committed=True)
    mark(cluster, keys, {0: "succeeded"})
    assert owed(cluster, keys) == {}
    assert adopt(cluster, keys) == 1
    assert owed(cluster, keys) == {f"b:{PARENT}:7": b"succeeded " + keys.bid.encode()}


def test_a_death_before_is_told_as_well(cluster: Cluster) -> None:
    keys = made(cluster, members=2)
    mark(cluster, keys, {0: "dead"})
    adopt(cluster, keys)
    assert owed(cluster, keys) == {f"b:{PARENT}:child": b"died"}


def test_where_there_is_no_batch_nothing_changes(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    with pytest.raises(BatchNotFound):
        adopt(cluster, BatchKeys("ganger", PARENT))
    assert snapshot(cluster_servers) == {}

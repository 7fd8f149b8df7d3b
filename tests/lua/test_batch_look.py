"""batch_look: what the scheduler wants to know of a batch."""

import pytest

from ganger.cluster import Cluster
from ganger.errors import BatchNotFound
from ganger.keys import BatchKeys
from ganger.operations import batch
from ganger.operations.batch import Look
from support.batches import made, mark
from support.keyspace import snapshot
from support.servers import ClusterServers


def look(cluster: Cluster, keys: BatchKeys) -> Look:
    return batch.parse_look(cluster.run(batch.look_command(keys)), keys)


def test_it_tells_what_is_owed_and_how_far_callbacks_are(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    keys = made(cluster, "complete", "death", members=1, committed=True)
    assert look(cluster, keys) == Look(0, "", "", "")
    mark(cluster, keys, {0: "dead"})
    before = snapshot(cluster_servers)
    assert look(cluster, keys) == Look(2, "fired", "", "fired")
    assert snapshot(cluster_servers) == before


def test_when_a_batch_is_over(cluster: Cluster) -> None:
    assert look(cluster, made(cluster, committed=True)).is_over
    for never in (
        Look(1, "none", "none", ""),
        Look(0, "none", "fired", ""),
        Look(0, "none", "none", "fired"),
        Look(0, "none", "", ""),
    ):
        assert not never.is_over


def test_where_there_is_no_batch(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    with pytest.raises(BatchNotFound):
        look(cluster, BatchKeys("ganger", "b-" + "0" * 21))
    assert snapshot(cluster_servers) == {}

"""batch_register: on the list of batches to look at, before the batch is made."""

from ganger.cluster import Cluster
from ganger.operations import batch
from support.batches import CONTROL
from support.keyspace import snapshot
from support.servers import ClusterServers

BID = "b-" + "1" * 21


def test_it_is_listed_once(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    batch.register(cluster, CONTROL, BID)
    before = snapshot(cluster_servers)
    assert [name for name, _ in before[CONTROL.batches_live]] == [BID.encode(), b""]
    assert before[CONTROL.batches_over] == [(b"", float("inf"))]
    batch.register(cluster, CONTROL, BID)
    assert snapshot(cluster_servers) == before
    assert batch.live_page(cluster, CONTROL, 0, 10, deadline_s=1.0) == [BID]
    assert batch.recent(cluster, CONTROL, 10) == [BID]

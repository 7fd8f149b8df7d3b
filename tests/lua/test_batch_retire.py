"""batch_retire: off the list, and one that may be about to be made not too early."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import batch
from support.batches import CONTROL
from support.keyspace import snapshot
from support.servers import ClusterServers


def listed(servers: ClusterServers) -> tuple[list[bytes], list[bytes]]:
    found = snapshot(servers)
    live, over = (
        [name for name, _ in found[key] if name] for key in (CONTROL.batches_live, CONTROL.batches_over)
    )
    return live, over


def test_what_is_over_goes_and_what_is_not_made_yet_stays(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    for bid in ("b-1", "b-2", "b-3", "b-4"):
        batch.register(cluster, CONTROL, bid)
    cluster.run(Command(CONTROL.slot, ("ZADD", CONTROL.batches_live, 5, "b-3")))
    batch.retire(cluster, CONTROL, ["b-1"], ["b-2", "b-3"], deadline_s=1.0)
    assert listed(cluster_servers) == ([b"b-2", b"b-4"], [b"b-1"])
    assert batch.recent(cluster, CONTROL, 10) == ["b-4", "b-2", "b-1"]
    assert batch.recent(cluster, CONTROL, 2) == ["b-4", "b-2"]


def test_what_has_been_over_for_a_day_is_forgotten(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    batch.register(cluster, CONTROL, "b-1")
    cluster.run(Command(CONTROL.slot, ("ZADD", CONTROL.batches_over, 5, "b-0")))
    for _ in range(2):
        batch.retire(cluster, CONTROL, ["b-1"], [], deadline_s=1.0)
    assert listed(cluster_servers) == ([], [b"b-1"])

"""batch_retire: off the list, and one that may be about to be made not too early."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import batch
from support.batches import CONTROL
from support.keyspace import snapshot
from support.servers import ClusterServers

BIDS = [f"b-{number:021}" for number in range(10)]


def listed(servers: ClusterServers) -> tuple[list[bytes], list[bytes]]:
    found = snapshot(servers)
    live, over = (
        [name for name, _ in found[key] if name] for key in (CONTROL.batches_live, CONTROL.batches_over)
    )
    return live, over


def test_what_is_over_goes_and_what_is_not_made_yet_stays(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    for bid in (BIDS[1], BIDS[2], BIDS[3], BIDS[4]):
        batch.register(cluster, CONTROL, bid)
    cluster.run(Command(CONTROL.slot, ("ZADD", CONTROL.batches_live, 5, BIDS[3])))
    batch.retire(cluster, CONTROL, [BIDS[1]], [BIDS[2], BIDS[3]], deadline_s=1.0)
    assert listed(cluster_servers) == ([BIDS[2].encode(), BIDS[4].encode()], [BIDS[1].encode()])
    assert batch.recent(cluster, CONTROL, 10) == [BIDS[4], BIDS[2], BIDS[1]]
    assert batch.recent(cluster, CONTROL, 2) == [BIDS[4], BIDS[2]]


def test_what_has_been_over_for_a_day_is_forgotten(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    batch.register(cluster, CONTROL, BIDS[1])
    cluster.run(Command(CONTROL.slot, ("ZADD", CONTROL.batches_over, 5, BIDS[0])))
    for _ in range(2):
        batch.retire(cluster, CONTROL, [BIDS[1]], [], deadline_s=1.0)
    assert listed(cluster_servers) == ([], [BIDS[1].encode()])

"""leases: what is held, by whom and since when; it changes nothing."""

from ganger.cluster import Cluster
from ganger.operations import recover
from support.keyspace import (
    HOST,
    MAIL,
    OTHER_HOST,
    add,
    lease,
    now_ms,
    opened,
    run,
    snapshot,
)
from support.servers import ClusterServers


def test_each_lease_is_named_with_its_delivery_time(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    opened(cluster)
    for stream, consumer in ((0, HOST), (9, OTHER_HOST)):
        add(cluster, "1-1", stream=stream)
        at_ms = now_ms(cluster)
        lease(cluster, stream=stream, consumer=consumer)
    before = snapshot(cluster_servers)
    seen = recover.leases(cluster, MAIL, 0)
    again = recover.leases(cluster, MAIL, 0)
    assert snapshot(cluster_servers) == before
    assert [(one.stream, one.id, one.consumer) for one in seen.leases] == [
        (0, b"1-1", HOST),
        (9, b"1-1", OTHER_HOST),
    ]
    assert at_ms <= seen.leases[1].delivered_ms <= seen.now_ms
    assert all(one.same_as(other) for one, other in zip(seen.leases, again.leases, strict=True))
    assert not seen.leases[0].same_as(seen.leases[1])


def test_only_idle_ones_up_to_a_number(cluster: Cluster) -> None:
    opened(cluster)
    for place in range(1, 6):
        add(cluster, f"{place}-1")
    lease(cluster, 5)
    assert recover.leases(cluster, MAIL, 60_000).leases == []
    assert len(run(cluster, "leases", (MAIL.meta, *MAIL.streams), 0, 3)) == 2 + 4 * 3

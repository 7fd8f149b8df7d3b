"""settle: ids leave their streams wherever they stand, and are counted by how many were there."""

from ganger.cluster import Cluster
from ganger.operations import settle
from support.keyspace import MAIL, add, counter, lease, opened, snapshot
from support.servers import ClusterServers


def test_entries_of_several_streams_go_in_one_call(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    for stream in (0, 5, 9):
        add(cluster, "1-1", stream=stream)
        lease(cluster, stream=stream)
    add(cluster, "2-1")
    reply = cluster.run(settle.command(MAIL, "succeeded", {0: [b"1-1"], 5: [b"1-1", b"7-7"], 9: [b"1-1"]}))
    assert reply == [b"settled", 3]
    found = snapshot(cluster_servers)
    assert [len(found[stream][0]) for stream in MAIL.streams] == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert all(found[stream][1] == [] for stream in MAIL.streams)
    assert counter(cluster, "succeeded") == 3


def test_a_repeat_finds_and_counts_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    add(cluster, "1-1")
    lease(cluster)
    settling = settle.command(MAIL, "expired", {5: [b"1-1"]})
    assert cluster.run(settling) == [b"settled", 1]
    before = snapshot(cluster_servers)
    assert cluster.run(settling) == [b"settled", 0]
    assert snapshot(cluster_servers) == before


def test_exhausted_jobs_have_failed_as_well(cluster: Cluster) -> None:
    opened(cluster)
    add(cluster, "1-1")
    cluster.run(settle.command(MAIL, "exhausted", {5: [b"1-1"]}))
    assert (counter(cluster, "exhausted"), counter(cluster, "failed")) == (1, 1)


def test_an_unopened_partition_is_left_alone(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert cluster.run(settle.command(MAIL, "succeeded", {5: [b"1-1"]})) == [b"settled", 0]
    assert snapshot(cluster_servers) == {}

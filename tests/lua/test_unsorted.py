"""unsorted: what waits for its lane to be worked out."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations.lanes import Mark, Unsorted
from support.keyspace import MAIL, add, snapshot
from support.laned import marked, take, unsorted
from support.servers import ClusterServers


def test_those_that_run_first_come_first_and_nothing_changes(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    marked(cluster, Mark("a", True))
    for place, stream in enumerate((2, 5, 5, 9), start=1):
        add(cluster, f"{place}-1", f"j{place}", stream=stream, t="a", b='{"n":9007199254740993}')
    assert take(cluster).unsorted == 4
    before = snapshot(cluster_servers)
    found = unsorted(cluster)
    assert [job.jid for job in found] == ["j4", "j2", "j3", "j1"]
    ids = {row[b"j"].decode(): id for id, row in before[MAIL.parked][0]}
    assert found[0] == Unsorted(ids["j4"], "j4", "a", b'{"n":9007199254740993}')
    assert unsorted(cluster, 2) == found[:2]
    assert snapshot(cluster_servers) == before


def test_about_a_megabyte_a_call(cluster: Cluster) -> None:
    marked(cluster, Mark("a", True))
    for place in range(1, 5):
        add(cluster, f"{place}-1", f"j{place}", t="a", b="x" * 600_000)
    take(cluster)
    assert len(unsorted(cluster)) == 2


def test_what_somebody_has_removed_by_hand_is_forgotten(cluster: Cluster) -> None:
    marked(cluster, Mark("a", True))
    add(cluster, "1-1", "j1", t="a")
    add(cluster, "2-1", "j2", t="a")
    take(cluster)
    cluster.run(Command(MAIL.slot, ("XDEL", MAIL.parked, unsorted(cluster)[0].id)))
    assert [job.jid for job in unsorted(cluster)] == ["j2"]
    assert cluster.run(Command(MAIL.slot, ("ZCARD", MAIL.lanes))) == 2


def test_an_unopened_partition_has_none(cluster: Cluster) -> None:
    assert unsorted(cluster) == []

"""sort: unsorted jobs into their lanes."""

import pytest

from ganger.cluster import Cluster
from ganger.errors import Uninitialised
from ganger.operations.lanes import Mark, key_digest, lane_id
from support.keyspace import MAIL, add, snapshot
from support.laned import heard, jids, look, marked, sort, take, take_lane, unsorted
from support.servers import ClusterServers

RED, BLUE = key_digest("args.n", "red"), key_digest("args.n", "blue")


def test_each_goes_into_the_lane_of_its_type_and_key_in_order(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    marked(cluster, Mark("a", True))
    for place, stream in enumerate((5, 5, 9, 5), start=1):
        add(cluster, f"{place}-1", f"j{place}", stream=stream, t="a", b='{"n":9007199254740993}', s="[1]")
    take(cluster)
    before = snapshot(cluster_servers)
    keys = {"j1": RED, "j2": BLUE, "j3": RED, "j4": RED}
    assert sort(cluster, *((job.id, "a", keys[job.jid]) for job in unsorted(cluster))) == 4
    after = snapshot(cluster_servers)
    assert unsorted(cluster) == []
    rows = [row for _, row in after[MAIL.parked][0]]
    assert {(row[b"j"], row[b"k"], row[b"l"][:16]) for row in rows} == {
        (jid.encode(), key.encode(), lane_id("a", key).encode()) for jid, key in keys.items()
    }
    assert {(row[b"b"], row[b"s"]) for row in rows} == {(b'{"n":9007199254740993}', b"[1]")}
    places = {b"%s%014d-%020d" % (row[b"l"], *map(int, id.split(b"-"))) for id, row in after[MAIL.parked][0]}
    assert {member for member, _ in after[MAIL.lanes]} == {b""} | places
    changed = (MAIL.meta, MAIL.parked, MAIL.lanes)
    assert {key: after[key] for key in after if key not in changed} == {
        key: before[key] for key in before if key not in changed
    }
    assert jids(take_lane(cluster, lane_id("a", RED)).entries) == ["j3", "j1", "j4"]
    assert jids(take_lane(cluster, lane_id("a", BLUE), 101).entries) == ["j2"]


def test_a_repeat_moves_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    marked(cluster, Mark("a", True))
    add(cluster, "1-1", "j1", t="a")
    take(cluster)
    (job,) = unsorted(cluster)
    assert sort(cluster, (job.id, "a", RED)) == 1
    before = snapshot(cluster_servers)
    assert sort(cluster, (job.id, "a", BLUE)) == 0
    assert snapshot(cluster_servers) == before


def test_only_what_is_unsorted_and_of_that_type(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    marked(cluster, Mark("a", True), Mark("b", False))
    add(cluster, "1-1", "j1", t="a")
    add(cluster, "2-1", "j2", t="b")
    take(cluster)
    before = snapshot(cluster_servers)
    ids = {row[b"j"]: id for id, row in before[MAIL.parked][0]}
    assert sort(cluster, (ids[b"j1"], "b", RED), (ids[b"j2"], "b", RED), (b"7-7", "a", RED)) == 0
    assert snapshot(cluster_servers) == before


def test_the_coordinators_are_told(cluster: Cluster) -> None:
    marked(cluster, Mark("a", True))
    add(cluster, "1-1", "j1", t="a")
    take(cluster)
    (job,) = unsorted(cluster)
    assert heard(cluster, lambda: sort(cluster, (job.id, "a", RED))) == [b"l" + lane_id("a", RED).encode()]
    ((lane,), _) = look(cluster)
    assert (lane.type, lane.key) == ("a", RED)


def test_an_unopened_partition(cluster: Cluster) -> None:
    with pytest.raises(Uninitialised):
        sort(cluster, (b"1-1", "a", RED))

"""look_lanes: in which lanes jobs wait."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations.lanes import Lane, Mark, key_digest, lane_id
from support.keyspace import MAIL, add, now_ms, snapshot
from support.laned import look, marked, sort, take, unsorted
from support.servers import ClusterServers

KEYS = [key_digest("args.n", number) for number in range(5)]


def sorted_into(cluster: Cluster, keys: list[str]) -> list[str]:
    """A job of type a for each of these keys, two of type b, one unsorted; the ids of a's lanes."""
    marked(cluster, Mark("a", True), Mark("b", False))
    for place in range(len(keys)):
        add(cluster, f"{place + 1}-1", f"j{place}", t="a")
    take(cluster)
    sort(cluster, *((job.id, "a", key) for job, key in zip(unsorted(cluster), keys, strict=True)))
    add(cluster, "100-1", "b1", t="b", stream=3)
    add(cluster, "100-1", "b2", t="b", stream=7)
    add(cluster, "101-1", "a9", t="a")
    take(cluster, 2)
    return sorted(lane_id("a", key) for key in set(keys))


def test_each_lane_once_with_its_first_job(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    ids = sorted_into(cluster, [*KEYS, KEYS[0]])
    before = snapshot(cluster_servers)
    found, after = look(cluster)
    assert after == ""
    assert [lane.id for lane in found] == sorted([*ids, lane_id("b", "")])
    by_type = {lane.type: lane for lane in found}
    assert by_type["b"][:3] == (lane_id("b", ""), "b", "") and by_type["b"].priority == 7
    assert {lane.key for lane in found if lane.type == "a"} == set(KEYS)
    first = found[0]
    assert isinstance(first, Lane) and 0 <= now_ms(cluster) - first.since_ms < 60_000
    assert snapshot(cluster_servers) == before


def test_a_few_a_call(cluster: Cluster) -> None:
    sorted_into(cluster, KEYS)
    everything, _ = look(cluster)
    first, after = look(cluster, limit=4)
    assert after == first[-1].id
    second, after = look(cluster, after, limit=4)
    assert (first + second, after) == (everything, "")


def test_none_of_a_paused_type_or_in_a_paused_partition(cluster: Cluster) -> None:
    sorted_into(cluster, KEYS)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "paused_types", "other a")))
    assert [lane.type for lane in look(cluster)[0]] == ["b"]
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "paused", "1")))
    assert look(cluster) == ([], "")


def test_what_somebody_has_removed_by_hand_is_forgotten(cluster: Cluster) -> None:
    sorted_into(cluster, [KEYS[0], KEYS[1]])
    cluster.run(Command(MAIL.slot, ("XTRIM", MAIL.parked, "MAXLEN", 1)))
    assert [(lane.type, lane.priority) for lane in look(cluster)[0]] == [("b", 3)]
    assert unsorted(cluster) == []
    assert cluster.run(Command(MAIL.slot, ("ZCARD", MAIL.lanes))) == 2


def test_big_jobs_make_for_short_answers(cluster: Cluster) -> None:
    marked(cluster, Mark("a", True))
    for place in range(12):
        add(cluster, f"{place + 1}-1", f"j{place}", t="a", b="x" * (1 << 20))
    ops = iter(range(1, 99))
    while take(cluster, next(ops)).more:
        pass
    for place in range(12):
        (job,) = unsorted(cluster, 1)
        sort(cluster, (job.id, "a", key_digest("args.n", place)))
    found, after = look(cluster)
    assert len(found) == 4 and after == found[-1].id


def test_an_unopened_partition_has_none(cluster: Cluster) -> None:
    assert look(cluster) == ([], "")

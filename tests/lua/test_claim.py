"""claim: what it takes, in which order, where it stops, and what a repeat answers."""

from typing import Any

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import claim, settle
from support.keyspace import HOST, MAIL, OTHER_HOST, WORKER, add, lease, opened, snapshot
from support.servers import ClusterServers

COSTS = claim.pack_costs({"cheap": 100, "dear": 40_000})


def take(cluster: Cluster, op: int, **given: Any) -> Any:
    """The raw reply."""
    words: dict[str, Any] = {"budget_us": 50_000, "cap": 64, "cap_bytes": 1 << 20, "costs": COSTS} | given
    return cluster.run(claim.command(MAIL, HOST, WORKER, op, **words))


def jids(reply: Any) -> list[str]:
    return [dict(zip(f[::2], f[1::2], strict=True))[b"j"].decode() for batch in reply[3::2] for _, f in batch]


def fill(cluster: Cluster, types: str, *, stream: int = 5, start: int = 1) -> None:
    """One entry per letter: c is cheap, d dear, u unknown."""
    names = {"c": "cheap", "d": "dear", "u": "unheard"}
    for place, letter in enumerate(types):
        add(
            cluster, f"{start + place}-1", f"{letter}{stream}.{start + place}", stream=stream, t=names[letter]
        )


def test_the_highest_priority_comes_first(cluster: Cluster) -> None:
    opened(cluster)
    fill(cluster, "cc", stream=1)
    fill(cluster, "c", stream=9)
    fill(cluster, "c", stream=5)
    reply = take(cluster, 1)
    assert reply[:2] == [b"claimed", 0]
    assert jids(reply) == ["c9.1", "c5.1", "c1.1", "c1.2"]


@pytest.mark.parametrize(
    ("types", "taken", "more"),
    [
        ("", 0, 0),
        ("u", 1, 0),
        ("uc", 1, 1),
        ("cu", 2, 0),
        ("d", 1, 0),
        ("dcccc", 5, 0),
        ("ddd", 2, 1),
        ("cccuccccc", 7, 1),  # 1, 2 and 4 at once: the overshoot is bounded by what was cheap before
        ("c" * 64, 64, 0),
        ("c" * 65, 64, 1),
    ],
)
def test_it_stops_at_the_budget_or_the_cap(cluster: Cluster, types: str, taken: int, more: int) -> None:
    opened(cluster)
    fill(cluster, types)
    reply = take(cluster, 1)
    assert (len(jids(reply)), reply[1]) == (taken, more)


def test_bytes_are_capped(cluster: Cluster) -> None:
    opened(cluster)
    for place in range(1, 10):
        add(cluster, f"{place}-1", t="cheap", b="x" * 1000)
    assert len(jids(take(cluster, 1, cap_bytes=2500))) == 3


def test_big_jobs_behind_small_ones_are_not_read_by_the_dozen(cluster: Cluster) -> None:
    """A worker's memory is the running job's: tens of megabytes of other bodies would count as its own."""
    opened(cluster)
    for place in range(1, 81):
        add(cluster, f"{place}-1", f"j{place}", t="cheap", b="x" * (8 if place <= 31 else 1 << 18))
    found = claim.claim(
        cluster, MAIL, HOST, WORKER, 1, budget_us=10**9, cap_bytes=1 << 20, costs={"cheap": 1}
    )
    assert 31 < len(found.entries) <= 31 + 16
    assert found.more


def test_more_counts_what_waits_and_not_what_others_hold(cluster: Cluster) -> None:
    opened(cluster)
    fill(cluster, "ccu")
    lease(cluster, 2, consumer=OTHER_HOST)
    assert take(cluster, 1)[1] == 0


def test_returned_jobs_go_before_others_of_their_priority(cluster: Cluster) -> None:
    opened(cluster)
    fill(cluster, "c", stream=6)
    fill(cluster, "c", stream=5)
    add(cluster, "1-1", "r5", stream=0, t="cheap", p="5")
    assert jids(take(cluster, 1)) == ["c6.1", "r5", "c5.1"]


def test_the_best_returned_job_counts_for_those_before_it(cluster: Cluster) -> None:
    opened(cluster)
    fill(cluster, "c", stream=8)
    fill(cluster, "c", stream=3)
    for place, priority in enumerate("2942"):
        add(cluster, f"{place + 1}-1", f"r{priority}.{place}", stream=0, t="cheap", p=priority)
    assert jids(take(cluster, 1)) == ["r2.0", "r9.1", "c8.1", "r4.2", "c3.1", "r2.3"]


def test_forty_returned_jobs_are_all_found(cluster: Cluster) -> None:
    opened(cluster)
    for place in range(40):
        add(cluster, f"{place + 1}-1", f"r{place}", stream=0, t="cheap", p="5")
    reply = take(cluster, 1)
    assert (len(jids(reply)), reply[1]) == (40, 0)


def test_a_partition_is_drained_only_when_nothing_is_left(cluster: Cluster) -> None:
    opened(cluster)
    drained = Command(MAIL.slot, ("HGET", MAIL.meta, "drained"))
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "drained", "0")))
    fill(cluster, "uu")
    take(cluster, 1)
    assert cluster.run(drained) == b"0"
    take(cluster, 2)
    assert cluster.run(drained) == b"1"


def test_the_same_op_answers_the_same_entries(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    fill(cluster, "ccc")
    fill(cluster, "cc", stream=9)
    add(cluster, "7-1", "r", stream=0, t="cheap", p="5")
    first = take(cluster, 1)
    before = snapshot(cluster_servers)
    again = take(cluster, 1)
    assert sorted(jids(again)) == sorted(jids(first))
    assert snapshot(cluster_servers) == before


def test_a_repeat_leaves_out_what_is_no_longer_ours(cluster: Cluster) -> None:
    opened(cluster)
    fill(cluster, "ccc")
    take(cluster, 1)
    cluster.run(settle.command(MAIL, "succeeded", {5: [b"1-1"]}))
    stolen = ("XCLAIM", MAIL.ready[4], "workers", OTHER_HOST, 0, "2-1")
    cluster.run(Command(MAIL.slot, stolen))
    assert jids(take(cluster, 1)) == ["c5.3"]


def test_a_repeat_does_not_answer_a_sibling_s_entries(cluster: Cluster) -> None:
    opened(cluster)
    fill(cluster, "uuu")
    take(cluster, 1)
    cluster.run(claim.command(MAIL, HOST, "2" * 16, 1, 50_000, 64, 1 << 20, COSTS))
    take(cluster, 2)
    assert jids(take(cluster, 2)) == ["u5.3"]


def test_an_older_op_is_refused(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    take(cluster, 2)
    fill(cluster, "c")
    before = snapshot(cluster_servers)
    assert take(cluster, 1) == [b"refused"]
    assert snapshot(cluster_servers) == before


def test_garbage_is_handed_out_and_stops_nothing(cluster: Cluster) -> None:
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("XADD", MAIL.ready[4], "1-1", "hello", "world")))
    fill(cluster, "c", start=2)
    for op in (1, 2):
        found = claim.parse(take(cluster, op), MAIL)
        if found.garbled:
            assert (found.garbled[0].stream, found.garbled[0].id) == (5, b"1-1")
        else:
            assert [entry.jid for entry in found.entries] == ["c5.2"]


def test_what_came_back_without_a_priority_stops_nobody(cluster: Cluster) -> None:
    opened(cluster)
    for id, words in (("1-1", ("hello", "world")), ("1-2", ("p", "nan")), ("1-3", ("p", "9" * 40))):
        cluster.run(Command(MAIL.slot, ("XADD", MAIL.returned, id, *words)))
    fill(cluster, "c", start=2)
    found = [claim.parse(take(cluster, op), MAIL) for op in range(1, 6)]
    assert [one.id for each in found for one in each.garbled] == [b"1-1", b"1-2", b"1-3"]
    assert [one.jid for each in found for one in each.entries] == ["c5.2"]


def test_an_unopened_partition_is_left_alone(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert take(cluster, 1) == [b"uninitialised"]
    assert snapshot(cluster_servers) == {}


def test_jobs_of_a_paused_type_are_parked_and_those_behind_them_taken(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "paused_types", "other dear")))
    fill(cluster, "ddcdc")
    add(cluster, "1-1", "back", stream=0, t="dear", s="[1]", p="7")
    reply = take(cluster, 1)
    assert reply[:2] == [b"claimed", 0]
    assert jids(reply) == ["c5.3", "c5.5"]
    found = snapshot(cluster_servers)
    rows = [row for _, row in found[MAIL.parked][0]]
    assert [(row[b"j"], row[b"p"], row[b"s"]) for row in rows] == [
        (b"back", b"7", b"[1]"),
        (b"d5.1", b"5", b""),
        (b"d5.2", b"5", b""),
        (b"d5.4", b"5", b""),
    ]
    assert found[MAIL.returned] == ([], [])
    assert len(found[MAIL.ready[4]][0]) == 2
    assert found[MAIL.meta][b"ms"] != b"0"
    assert jids(take(cluster, 1)) == ["c5.3", "c5.5"]


def test_a_claim_parks_a_bounded_number_and_says_that_there_is_more(cluster: Cluster) -> None:
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "paused_types", "dear")))
    for start in range(0, 300, 100):
        words = [w for n in range(start, start + 100) for w in (f"{n + 1}-1",)]
        for id in words:
            cluster.run(Command(MAIL.slot, ("XADD", MAIL.ready[4], id, "j", id, "t", "dear", "b", "{}")))
    fill(cluster, "c", start=2000)
    reply = take(cluster, 1)
    assert reply[1] == 1 and jids(reply) == []
    assert jids(take(cluster, 2)) == ["c5.2000"]

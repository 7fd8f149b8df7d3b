"""claim_lane: jobs of one lane, for whoever holds its permits."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import State
from ganger.operations import claim, failing, settle
from ganger.operations.lanes import Mark, lane_id
from support.keyspace import HOST, MAIL, WORKER, add, counter, snapshot
from support.laned import jids, marked, put, take, take_lane
from support.servers import ClusterServers

LANE = lane_id("shop.send", "")
SEND = Mark("shop.send", False)


def filled(cluster: Cluster, count: int = 4, *, b: str = "{}", s: str = "") -> None:
    """Jobs j1.. in their lane."""
    marked(cluster, SEND)
    for place in range(1, count + 1):
        add(cluster, f"{place}-1", f"j{place}", b=b, s=s)
    assert not take(cluster).entries


def test_they_go_from_aside_into_somebodys_hands(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    filled(cluster, b='{"n":9007199254740993}', s="[1]")
    before = snapshot(cluster_servers)
    found = take_lane(cluster, LANE, cap=3)
    assert (jids(found.entries), found.more, found.unsorted) == (["j1", "j2", "j3"], True, 0)
    entry = found.entries[0]
    assert (entry.stream, entry.priority, entry.type) == (10, 5, "shop.send")
    assert (entry.body, entry.state) == (b'{"n":9007199254740993}', State(attempts=1))
    after = snapshot(cluster_servers)
    rows, leases = after[MAIL.laned]
    assert leases == [(id, HOST.encode()) for id, _ in rows] and len(rows) == 3
    assert [row[b"j"] for _, row in after[MAIL.parked][0]] == [b"j4"]
    assert len(after[MAIL.lanes]) == 2
    assert after[MAIL.memo][b"c:" + WORKER.encode()].endswith(b"|10:%s:%s " % (rows[0][0], rows[-1][0]))
    changed = (MAIL.meta, MAIL.memo, MAIL.parked, MAIL.lanes, MAIL.laned)
    assert {key: after[key] for key in after if key not in changed} == {
        key: before[key] for key in before if key not in changed
    }
    last = take_lane(cluster, LANE, 101)
    assert (jids(last.entries), last.more) == (["j4"], False)


def test_urgent_ones_first_and_returned_ones_before_them(cluster: Cluster) -> None:
    marked(cluster, SEND)
    for jid, stream in (("a", 5), ("b", 2), ("c", 9), ("d", 0), ("e", 5)):
        add(cluster, f"{ord(jid)}-1", jid, stream=stream, p="5")
    take(cluster)
    found = take_lane(cluster, LANE)
    assert jids(found.entries) == ["c", "d", "a", "e", "b"]
    assert [entry.priority for entry in found.entries] == [9, 5, 5, 5, 2]


def test_budget_and_bytes_end_it(cluster: Cluster) -> None:
    filled(cluster, 6, b="x" * 100)
    assert len(take_lane(cluster, LANE, budget_us=15).entries) == 2
    assert len(take_lane(cluster, LANE, 101, cap_bytes=150).entries) == 2
    assert not take_lane(cluster, LANE, 102).more


def test_the_same_op_again_answers_the_same_and_an_older_one_is_refused(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    filled(cluster)
    first = take_lane(cluster, LANE, cap=2)
    before = snapshot(cluster_servers)
    again = take_lane(cluster, LANE, cap=2)
    assert [entry.id for entry in again.entries] == [entry.id for entry in first.entries]
    assert take_lane(cluster, LANE, 99).refused
    assert snapshot(cluster_servers) == before
    settle.settle(cluster, MAIL, "succeeded", {10: [first.entries[0].id]})
    assert jids(take_lane(cluster, LANE, cap=2).entries) == ["j2"]


def test_a_claim_that_was_closed_takes_nothing_and_one_that_ran_is_shown(cluster: Cluster) -> None:
    filled(cluster)
    assert claim.close(cluster, MAIL, HOST, WORKER, 100) == []
    assert take_lane(cluster, LANE).refused
    found = take_lane(cluster, LANE, 101, cap=2)
    refs = [(10, entry.id) for entry in found.entries]
    assert claim.close(cluster, MAIL, HOST, WORKER, 101) == refs


def test_one_that_is_given_back_is_the_next_of_its_lane(cluster: Cluster) -> None:
    filled(cluster)
    (first,) = take_lane(cluster, LANE, cap=1).entries
    assert failing.release(cluster, MAIL, HOST, [(first, None)]) == ["moved"]
    assert not take(cluster, 101).entries
    assert jids(take_lane(cluster, LANE, 102).entries) == ["j1", "j2", "j3", "j4"]


def test_expired_ones_end_here(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    marked(cluster, SEND)
    put(cluster, LANE, "1-1", "old", b="x1 u7\n{}")
    filled(cluster, 1)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "careful", "1")))
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.locks, "7", "old|9999999999999")))
    assert jids(take_lane(cluster, LANE).entries) == ["j1"]
    found = snapshot(cluster_servers)
    assert found[MAIL.parked] == ([], []) and found[MAIL.locks] == {b"": b""}
    assert [member for member, _ in found[MAIL.lanes]] == [b""]
    assert counter(cluster, "expired") == 1


def test_a_bounded_number_of_expired_ones(cluster: Cluster) -> None:
    marked(cluster, SEND)
    for place in range(1, 301):
        put(cluster, LANE, f"1-{place}", f"old{place}", b="x1\n{}")
    filled(cluster, 1)
    first = take_lane(cluster, LANE)
    assert (first.entries, first.more, counter(cluster, "expired")) == ([], True, 250)
    assert jids(take_lane(cluster, LANE, 101).entries) == ["j1"]


def test_what_somebody_has_removed_by_hand_is_forgotten(cluster: Cluster) -> None:
    filled(cluster, 3)
    cluster.run(Command(MAIL.slot, ("XTRIM", MAIL.parked, "MAXLEN", 1)))
    found = take_lane(cluster, LANE)
    assert (jids(found.entries), found.more) == (["j3"], False)


def test_what_is_no_job_is_told_as_such(cluster: Cluster) -> None:
    marked(cluster, SEND)
    put(cluster, LANE, "1-1", "", b="{}")
    filled(cluster, 1)
    found = take_lane(cluster, LANE)
    assert (jids(found.entries), len(found.garbled)) == (["j1"], 1)
    assert found.garbled[0].stream == 10


def test_a_paused_lane_waits(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    filled(cluster)
    for op, field, value in ((100, "paused_types", "other shop.send"), (101, "paused", "1")):
        cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, field, value)))
        before = snapshot(cluster_servers)
        found = take_lane(cluster, LANE, op)
        assert found.entries == []
        after = snapshot(cluster_servers)
        assert after | {MAIL.memo: b""} == before | {MAIL.memo: b""}
        assert not found.more
        cluster.run(Command(MAIL.slot, ("HDEL", MAIL.meta, field)))


def test_an_empty_lane_and_an_unopened_partition(cluster: Cluster) -> None:
    assert take_lane(cluster, LANE) == claim.Claimed([], False, [])
    marked(cluster, SEND)
    assert take_lane(cluster, LANE) == claim.Claimed([], False, [])

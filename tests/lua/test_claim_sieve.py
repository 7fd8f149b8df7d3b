"""claim: how much of what it drops or sets aside one call looks at."""

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import claim, pause
from ganger.operations.lanes import EVERY_TYPE, UNSORTED, Mark, lane_id
from support.keyspace import HOST, MAIL, WORKER, add, opened, snapshot
from support.laned import heard, jids, marked, take, take_lane
from support.servers import ClusterServers


@pytest.mark.parametrize("label", ["x1\n", ""])
def test_big_ones_are_sifted_a_few_megabytes_at_a_time(cluster: Cluster, label: str) -> None:
    opened(cluster)
    edits = ("careful", "1") if label else ("paused_types", "shop.send")
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, *edits)))
    for place in range(1, 17):
        add(cluster, f"{place}-1", f"j{place}", b=label + "x" * (1 << 20))
    add(cluster, "40-1", "live", t="cheap")
    live, calls = "", 0
    while not live:
        calls += 1
        found = claim.claim(
            cluster, MAIL, HOST, WORKER, calls, budget_us=10**9, cap=64, costs={"shop.send": 1, "cheap": 1}
        )
        live = found.entries[0].jid if found.entries else ""
        assert found.more or live
    assert (live, calls) == ("live", 3)  # 1, 2 and 4 of them in a call


def test_jobs_of_a_limited_type_go_into_their_lane_and_those_behind_them_run(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    marked(cluster, Mark("a", False), Mark("b", True))
    types = {"a": "a", "b": "b", "o": "shop.send"}
    for place, jid in enumerate(("a1", "b1", "other1", "a2", "other2"), start=1):
        add(cluster, f"{place}-1", jid, t=types[jid[0]], b='{"n":9007199254740993}')
    add(cluster, "1-1", "a3", stream=0, t="a", s="[1]", p="7")
    found = take(cluster)
    assert (jids(found.entries), found.more, found.unsorted) == (["other1", "other2"], False, 1)
    after = snapshot(cluster_servers)
    rows = {row[b"j"]: row for _, row in after[MAIL.parked][0]}
    lane = lane_id("a", "").encode()
    assert rows[b"a1"] == {
        **{b"j": b"a1", b"t": b"a", b"b": b'{"n":9007199254740993}', b"s": b"", b"p": b"5"},
        **{b"l": lane + b"41", b"k": b""},
    }
    assert (rows[b"a3"][b"l"], rows[b"a3"][b"s"], rows[b"a3"][b"p"]) == (lane + b"20", b"[1]", b"7")
    assert rows[b"b1"][b"l"] == UNSORTED.encode() + b"41"
    assert len(after[MAIL.lanes]) == 5 and after[MAIL.returned] == ([], [])
    assert len(after[MAIL.ready[4]][0]) == len(after[MAIL.ready[4]][1]) == 2
    again = take(cluster)
    assert (jids(again.entries), again.unsorted) == (["other1", "other2"], 0)
    assert take(cluster, 2).unsorted == 1


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        ("", True),
        ("a", True),
        ("a 2f64!b", True),
        ("b", False),
        ("!b", False),
        ("a 2f64!b shop", False),
        ("shop.send", False),
    ],
)
def test_nothing_is_taken_where_a_word_is_missing(cluster: Cluster, wanted: str, taken: bool) -> None:
    marked(cluster, Mark("a", False), Mark("b", True, "args.n"))
    add(cluster, "1-1", "j1")
    command = claim.command(MAIL, HOST, WORKER, 1, 10**9, 64, 1 << 20, {}, marked=wanted)
    assert jids(claim.parse(cluster.run(command), MAIL).entries) == ["j1"] * taken


def test_the_coordinators_are_told_of_lanes_that_were_empty_but_not_of_what_is_unsorted(
    cluster: Cluster,
) -> None:
    marked(cluster, Mark("a", False), Mark("b", True))
    op = iter(range(1, 9))

    def claimed() -> None:
        take(cluster, next(op))
        cluster.run(Command(MAIL.slot, ("SPUBLISH", MAIL.wake, "end")))

    add(cluster, "1-1", "a1", t="a")
    assert heard(cluster, claimed)[0] == b"l" + lane_id("a", "").encode()
    add(cluster, "1-2", "a2", t="a")
    assert heard(cluster, claimed)[0] == b"end", "they know of that lane"
    add(cluster, "2-1", "b1", t="b")
    assert heard(cluster, claimed)[0] == b"end"


def test_a_paused_type_is_parked_and_comes_to_its_lane_afterwards(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    marked(cluster, Mark("a", False))
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "paused_types", "a")))
    add(cluster, "1-1", "a1", t="a")
    take(cluster)
    found = snapshot(cluster_servers)
    assert b"l" not in found[MAIL.parked][0][0][1] and len(found[MAIL.lanes]) == 1
    cluster.run(Command(MAIL.slot, ("HDEL", MAIL.meta, "paused_types")))
    cluster.run(pause.unpark_command(MAIL, ""))
    take(cluster, 2)
    assert jids(take_lane(cluster, lane_id("a", "")).entries) == ["a1"]


def test_every_type_but_for_those_that_are_named(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    marked(cluster, Mark(EVERY_TYPE, True), Mark("a", False))
    add(cluster, "1-1", "a1", t="a")
    add(cluster, "2-1", "x1", t="any.other")
    add(cluster, "3-1", "x2", t="no name")
    found = take(cluster)
    assert (found.unsorted, len(found.garbled)) == (1, 1)
    rows = {row[b"j"]: row[b"l"][:16].decode() for _, row in snapshot(cluster_servers)[MAIL.parked][0]}
    assert rows == {b"a1": lane_id("a", ""), b"x1": UNSORTED}


def test_a_bounded_number_goes_aside_in_a_call(cluster: Cluster) -> None:
    marked(cluster, Mark("shop.send", True))
    for place in range(1, 301):
        add(cluster, f"{place}-1", f"j{place}")
    first = take(cluster)
    assert first.more and 250 <= first.unsorted < 300
    assert take(cluster, 2).unsorted == 300

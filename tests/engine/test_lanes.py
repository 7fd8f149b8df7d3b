"""Whatever else may happen to a job that waits in a lane, or was claimed from one: it goes as any other does,
and the lane forgets it."""

from collections.abc import Iterator

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.jid import mint
from ganger.job import NewJob, State
from ganger.lifecycle import JobState
from ganger.operations import (
    cancel,
    clear,
    enqueue,
    failing,
    find,
    lanes,
    look,
    pause,
    recover,
    replay,
    settle,
    unique,
)
from ganger.operations.lanes import Mark, key_digest, lane_id
from ganger.retry import Bury, Retry
from support.keyspace import HOST, MAIL, counter, snapshot
from support.laned import jids, marked, put, take, take_lane
from support.servers import ClusterServers

LANE = lane_id("shop.send", "")
LONG_AGO_MS = 1 << 45


class Waiting:
    """A job of priority 7 that waits in its lane, behind another."""

    def __init__(self, cluster: Cluster, servers: ClusterServers) -> None:
        self.cluster, self.servers = cluster, servers
        marked(cluster, Mark("shop.send", False))
        self.first, self.jid = mint("mail", 3, 2)
        for jid in (self.first, self.jid):
            enqueue.push(cluster, MAIL, 7, [NewJob(jid, "shop.send", b"{}")])
        take(cluster)

    def found(self) -> find.Found:
        found = find.find(self.cluster, MAIL, self.jid)
        assert found is not None
        return found

    def in_lanes(self) -> list[str]:
        """Those that lie there; that the index has them and no others."""
        found = snapshot(self.servers)
        rows = found[MAIL.parked][0]
        places = {b"%s%014d-%020d" % (row[b"l"], *map(int, id.split(b"-"))) for id, row in rows}
        assert {member for member, _ in found[MAIL.lanes]} == {b""} | places
        return [row[b"j"].decode() for _, row in rows]


@pytest.fixture
def waiting(cluster: Cluster, cluster_servers: ClusterServers) -> Iterator[Waiting]:
    yield Waiting(cluster, cluster_servers)


def test_keys_and_lanes_have_names_of_sixteen_digits() -> None:
    assert lane_id("shop.send", "") == "73ec5cbab68773ac"
    assert (
        key_digest("args.n", "red") != key_digest("args.n", "blue") and len(key_digest("args.n", None)) == 16
    )
    assert key_digest("args.n", {"a": 1, "b": [2]}) == key_digest("args.n", {"b": [2], "a": 1})
    assert key_digest("args.n", 1) != key_digest("args.n", "1")


def test_it_is_found_and_counted_as_one_that_waits(cluster: Cluster, waiting: Waiting) -> None:
    found = waiting.found()
    assert (found.state, found.stream, found.record.priority) == (JobState.READY, None, 7)
    assert found.place is not None and found.id is not None
    assert cluster.run(lanes.ahead_command(MAIL, found.place, found.id)) == 1
    seen = look.parse_look(cluster.run(look.look_command(MAIL)), MAIL)
    assert (seen.ready, seen.laned, seen.parked, seen.in_flight) == (2, 2, 0, 0)
    sample = look.parse_sample(cluster.run(look.sample_command(MAIL)), MAIL)
    assert sample == look.Sample({"shop.send": 2}, True)
    take_lane(cluster, LANE)
    assert (waiting.found().state, waiting.found().stream) == (JobState.WORKING, 10)
    seen = look.parse_look(cluster.run(look.look_command(MAIL)), MAIL)
    assert (seen.ready, seen.in_flight) == (0, 2)


def test_it_is_cancelled(cluster: Cluster, waiting: Waiting) -> None:
    found = waiting.found()
    assert cancel.cancel(cluster, MAIL, waiting.jid, stream=None, id=found.id) == "cancelled"
    assert waiting.in_lanes() == [waiting.first]
    take_lane(cluster, LANE)
    found_first = find.find(cluster, MAIL, waiting.first)
    assert found_first is not None
    assert cancel.cancel(cluster, MAIL, waiting.first, stream=10, id=found_first.id) == "asked"


def test_its_queue_is_cleared(cluster: Cluster, waiting: Waiting) -> None:
    mark = clear.parse_mark(cluster.run(clear.mark_command(MAIL)))
    assert clear.parse(cluster.run(clear.waiting_command(MAIL, mark)), MAIL) == (2, False)
    assert waiting.in_lanes() == [] and counter(cluster, "cancelled") == 2


def test_it_is_skipped_and_the_skip_undone(cluster: Cluster, waiting: Waiting) -> None:
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "retain", "0|1000", "careful", "1")))
    cluster.run(replay.skip_command(MAIL, replay.PARKED, "run1", LONG_AGO_MS))
    assert waiting.in_lanes() == []
    cluster.run(replay.unskip_command(MAIL, "run1"))
    take(cluster, 2)
    assert sorted(waiting.in_lanes()) == [waiting.first, waiting.jid]


def test_a_rewind_that_brought_it_is_undone(cluster: Cluster, waiting: Waiting) -> None:
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "retain", "0|1000", "careful", "1")))
    entries = take_lane(cluster, LANE).entries
    settle.settle(cluster, MAIL, "succeeded", {10: [entry.id for entry in entries]})
    log = snapshot(waiting.servers)[MAIL.log][0]
    assert [(row[b"j"].decode(), row[b"p"]) for _, row in log] == [(entry.jid, b"7") for entry in entries]
    cluster.run(replay.replay_command(MAIL, "run1", replay.Choice(0, LONG_AGO_MS)))
    take(cluster, 200)
    assert len(waiting.in_lanes()) == 2
    cluster.run(replay.undo_command(MAIL, replay.PARKED, "run1", "log"))
    assert waiting.in_lanes() == []


def test_another_unique_job_takes_its_place(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    marked(cluster, Mark("shop.send", False))
    old, new = (NewJob(mint("mail", 3)[0], "shop.send", b"u7\n{}") for _ in range(2))
    cluster.run(unique.push_command(MAIL, 5, old, "7", 60_000))
    take(cluster)
    found = find.find(cluster, MAIL, old.jid)
    assert found is not None and found.id is not None
    place = (found.stream, found.id)
    command = unique.push_command(MAIL, 5, new, "7", 60_000, replace=True, old=place)
    assert unique.parse_push(cluster.run(command), MAIL, new.jid).word == "pushed"
    after = snapshot(cluster_servers)
    assert after[MAIL.parked] == ([], []) and [member for member, _ in after[MAIL.lanes]] == [b""]


def test_its_priority_survives_whatever_ends_its_attempt(cluster: Cluster, waiting: Waiting) -> None:
    first, second = take_lane(cluster, LANE).entries
    assert failing.apply(cluster, first, HOST, Retry(-10, State(attempts=1))) == "moved"
    assert failing.apply(cluster, second, HOST, Bury(State(attempts=1))) == "moved"
    for jid in (first.jid, second.jid):
        record = find.find(cluster, MAIL, jid)
        assert record is not None and record.record.priority == 7


def test_a_lease_that_has_run_out_brings_it_back_to_the_front(cluster: Cluster, waiting: Waiting) -> None:
    (first,) = take_lane(cluster, LANE, cap=1).entries
    (lease,) = recover.leases(cluster, MAIL, 0).leases
    assert lease.stream == 10
    assert recover.recover(cluster, lease, first, State(lost=1), bury=False)
    take(cluster, 200)
    assert jids(take_lane(cluster, LANE, 201).entries) == [waiting.first, waiting.jid]


def test_what_lies_in_lanes_is_not_unparked(cluster: Cluster, waiting: Waiting) -> None:
    before = snapshot(waiting.servers)
    assert pause.parse_unpark(cluster.run(pause.unpark_command(MAIL, "")), MAIL).moved == 0
    assert snapshot(waiting.servers) == before


def test_how_long_the_first_one_has_waited(cluster: Cluster) -> None:
    marked(cluster, Mark("shop.send", False))
    put(cluster, LANE, "1000-1", "old")
    seen = look.parse_look(cluster.run(look.look_command(MAIL)), MAIL)
    assert seen.oldest_age_ms == seen.now_ms - 1000

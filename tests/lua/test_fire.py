"""fire: a tick becomes a job once, or is passed over, and is remembered by the same script."""

from typing import Any

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.cron.due import Step
from ganger.errors import ServerFull
from ganger.job import decode_body
from ganger.operations import cron, settle
from support.crons import MINUTE_MS, begun, entry, memory
from support.keyspace import MAIL, counter, lease, now_ms, opened, snapshot
from support.servers import ClusterServers

ONE = entry()
ALONE = entry(overlap="skip")
Found = dict[bytes, Any]


def jobs(found: Found) -> list[dict[bytes, bytes]]:
    return [fields for _, fields in found[MAIL.ready[4]][0]]


def test_a_tick_becomes_a_job_and_is_remembered(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    tick = begun(cluster, ONE, 2 * MINUTE_MS) + MINUTE_MS
    fired = cron.fire(cluster, MAIL, ONE, Step(tick, True), 1_000)
    assert fired.word == "fired"
    (job,) = jobs(snapshot(cluster_servers))
    assert (job[b"j"].decode(), job[b"t"]) == (fired.jid, b"shop.send")
    body = decode_body(job[b"b"])
    assert (body.pushed_at_ms, body.headers) == (1_000, {"cron": ONE.name, "cron-tick-ms": str(tick)})
    seen = memory(cluster, ONE)
    assert (seen.covered_ms, seen.fired, seen.skipped, seen.missed) == (tick, 1, 0, 0)
    (event,) = seen.events
    assert (event.tick_ms, event.word, event.detail) == (tick, "fired", fired.jid)
    assert abs(event.at_ms - now_ms(cluster)) < MINUTE_MS
    assert counter(cluster, "enqueued") == 1


def test_the_same_tick_adds_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    """Two leaders, or one that never heard its reply: the second finds the tick covered."""
    tick = begun(cluster, ONE, 2 * MINUTE_MS) + MINUTE_MS
    cron.fire(cluster, MAIL, ONE, Step(tick, True), 0)
    before = snapshot(cluster_servers)
    for late in (tick, tick - 1):
        assert cron.fire(cluster, MAIL, ONE, Step(late, True, 5), 0).word == "repeat"
    assert snapshot(cluster_servers) == before


def test_a_lost_reply_is_heard_at_the_second_call(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    tick = begun(cluster, ONE, 2 * MINUTE_MS) + MINUTE_MS
    calls: list[Command] = []

    class Ear:
        def run(self, command: Command, **_: Any) -> Any:
            calls.append(command)
            return cluster.run(command)

    ear: Any = Ear()
    for step in (Step(tick, True), None):
        cron.fire(ear, MAIL, ONE, step, 0)
    before = snapshot(cluster_servers)
    assert [cluster.run(command) for command in calls] == [[b"fired"], [b"fired"]]
    assert snapshot(cluster_servers) == before


def test_a_tick_ahead_of_the_node_s_clock_is_refused(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    """A leader whose idea of the time is wrong fires nothing early."""
    begun(cluster, ONE)
    before = snapshot(cluster_servers)
    fired = cron.fire(cluster, MAIL, ONE, Step(now_ms(cluster) + MINUTE_MS, True), 0)
    assert fired.word == "early" and 0 < fired.early_ms <= MINUTE_MS
    assert snapshot(cluster_servers) == before


def test_missed_ticks_are_counted_with_the_one_that_fires(cluster: Cluster) -> None:
    tick = begun(cluster, ONE, 9 * MINUTE_MS) + 8 * MINUTE_MS
    assert cron.fire(cluster, MAIL, ONE, Step(tick, True, 7), 0).word == "fired"
    seen = memory(cluster, ONE)
    assert (seen.covered_ms, seen.fired, seen.missed) == (tick, 1, 7)
    assert [(event.word, event.tick_ms) for event in seen.events] == [("fired", tick), ("missed", tick)]
    assert seen.events[1].detail == "7"


def test_ticks_fall_away_without_a_job(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    tick = begun(cluster, ONE, 9 * MINUTE_MS) + 8 * MINUTE_MS
    assert cron.fire(cluster, MAIL, ONE, Step(tick, False, 8), 0).word == "passed"
    seen = memory(cluster, ONE)
    assert (seen.covered_ms, seen.fired, seen.missed) == (tick, 0, 8)
    assert jobs(snapshot(cluster_servers)) == [] and counter(cluster, "enqueued") == 0


def test_a_run_that_goes_on_keeps_the_next_one_back_until_it_ends(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    tick = begun(cluster, ALONE, 9 * MINUTE_MS)
    first = cron.fire(cluster, MAIL, ALONE, Step(tick + 1, True), 0)
    skipped = cron.fire(cluster, MAIL, ALONE, Step(tick + 2, True, 3), 0)
    assert (skipped.word, skipped.jid) == ("skipped", first.jid)
    seen = memory(cluster, ALONE)
    assert (seen.covered_ms, seen.fired, seen.skipped, seen.missed) == (tick + 2, 1, 1, 3)
    assert [event.word for event in seen.events] == ["skipped", "missed", "fired"]
    (id,) = lease(cluster)
    assert cron.fire(cluster, MAIL, ALONE, Step(tick + 3, True), 0).word == "skipped"
    settle.settle(cluster, MAIL, "succeeded", {5: [id]})
    assert snapshot(cluster_servers)[MAIL.locks] == {b"": b""}
    assert cron.fire(cluster, MAIL, ALONE, Step(tick + 4, True), 0).word == "fired"


def test_a_lock_whose_time_is_over_keeps_nobody_back(cluster: Cluster) -> None:
    tick = begun(cluster, ALONE, 9 * MINUTE_MS)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.locks, ALONE.lock, "somebody|1000")))
    assert cron.fire(cluster, MAIL, ALONE, Step(tick + 1, True), 0).word == "fired"


def test_a_paused_entry_fires_by_hand_alone(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    tick = begun(cluster, ONE, 9 * MINUTE_MS)
    cron.pause(cluster, MAIL, ONE.name)
    before = snapshot(cluster_servers)
    assert cron.fire(cluster, MAIL, ONE, Step(tick + 1, True), 0).word == "paused"
    assert snapshot(cluster_servers) == before
    assert cron.fire(cluster, MAIL, ONE, None, 0).word == "fired"
    seen = memory(cluster, ONE)
    assert seen.covered_ms == tick and seen.last is not None and seen.last.word == "run"


def test_by_hand_nothing_overlaps_either(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    begun(cluster, ALONE)
    first = cron.fire(cluster, MAIL, ALONE, None, 0)
    before = snapshot(cluster_servers)
    assert cron.fire(cluster, MAIL, ALONE, None, 0) == cron.Fired("held", first.jid)
    assert snapshot(cluster_servers) == before


def test_history_is_bounded(cluster: Cluster) -> None:
    tick = begun(cluster, ONE, 9 * MINUTE_MS)
    for number in range(1, 56):
        cron.fire(cluster, MAIL, ONE, Step(tick + number, True), 0)
    seen = memory(cluster, ONE)
    assert [event.tick_ms - tick for event in seen.events] == list(range(55, 5, -1))
    assert seen.fired == 55


def test_the_last_run_stays_in_the_history(cluster: Cluster) -> None:
    tick = begun(cluster, ALONE, 9 * MINUTE_MS)
    first = cron.fire(cluster, MAIL, ALONE, Step(tick + 1, True), 0)
    for number in range(2, 60):
        cron.fire(cluster, MAIL, ALONE, Step(tick + number, True), 0)
    seen = memory(cluster, ALONE)
    assert [event.word for event in seen.events] == ["skipped"] * 49 + ["fired"]
    assert seen.last is not None and seen.last.detail == first.jid
    assert seen.events[0].tick_ms == tick + 59


def test_only_a_labelled_job_makes_the_partition_careful(cluster: Cluster) -> None:
    tick = begun(cluster, ONE, MINUTE_MS)
    cron.fire(cluster, MAIL, ONE, Step(tick + 1, True), 0)
    assert cluster.run(Command(MAIL.slot, ("HGET", MAIL.meta, "careful"))) is None
    cron.fire(cluster, MAIL, entry(expires_in=5.0), Step(tick + 2, True), 0)
    assert cluster.run(Command(MAIL.slot, ("HGET", MAIL.meta, "careful"))) == b"1"


def test_a_full_server_refuses_and_the_tick_stays_due(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    tick = begun(cluster, ONE, MINUTE_MS)
    before = snapshot(cluster_servers)
    node = cluster.node_of(MAIL.slot)
    assert node is not None
    cluster.run_on(node, ("CONFIG", "SET", "maxmemory", "1"))
    try:
        with pytest.raises(ServerFull):
            cron.fire(cluster, MAIL, ONE, Step(tick + 1, True), 0, deadline_s=1.0)
    finally:
        cluster.run_on(node, ("CONFIG", "SET", "maxmemory", "0"))
    assert snapshot(cluster_servers) == before


def test_an_unknown_entry_and_an_unopened_partition_are_left_alone(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    opened(cluster)
    before = snapshot(cluster_servers)
    assert cron.fire(cluster, MAIL, ONE, Step(1, True), 0).word == "unknown"
    assert snapshot(cluster_servers) == before

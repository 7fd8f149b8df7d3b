"""The scheduler's cron duty: one job a tick, whoever leads and whoever dies, by the node's clock alone."""

import socket
import time
from typing import Any

import msgspec
import pytest

from ganger import clock
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.cron import admin
from ganger.cron.entry import CronEntry
from ganger.errors import CronNotFound, CronStillRuns, NodeDown, OutcomeUnknown
from ganger.keys import Control
from ganger.operations import control, cron, settle
from gangerd.config import Config
from gangerd.roles.queues import Queues
from gangerd.roles.scheduler.cron import CronDuty
from support import jobs
from support.crons import MINUTE_MS, begun, entry, memory
from support.keyspace import MAIL, now_ms
from support.servers import ClusterServers

CONTROL = Control("ganger")
TICKS = 3
OLD_HOST, NEW_HOST = "0" * 16, "1" * 16


@pytest.fixture(autouse=True)
def catalog(cluster: Cluster) -> None:
    control.register_queue(cluster, CONTROL, "mail", 12)


def announce(cluster: Cluster, *entries: CronEntry, host: str = OLD_HOST) -> None:
    cron.announce(cluster, CONTROL, host, "shop", msgspec.to_builtins(entries))


def duty(cluster: Any) -> CronDuty:
    queues = Queues(cluster, CONTROL)
    queues.refresh()
    return CronDuty(cluster, CONTROL, queues, Config())


def ready(cluster: Cluster) -> int:
    return jobs.seen(cluster, MAIL).ready


def due(cluster: Cluster, **changes: Any) -> CronEntry:
    """An entry with TICKS ticks to catch up with, and no other for most of an hour."""
    minute = now_ms(cluster) // MINUTE_MS
    minutes = ",".join(str((minute - ago) % 60) for ago in range(1, TICKS + 1))
    one = entry(**{"cron": f"{minutes} * * * *", **changes})
    announce(cluster, one)
    begun(cluster, one, (TICKS + 2) * MINUTE_MS)
    return one


class Deadly:
    """A transport whose user dies at its first fire: before it is sent, or when only the reply is missing."""

    def __init__(self, cluster: Cluster, *, sent: bool) -> None:
        self._cluster, self._sent = cluster, sent

    def run(self, command: Command, **options: Any) -> Any:
        if command.name != "fire":
            return self._cluster.run(command, **options)
        if not self._sent:
            raise NodeDown("dead before it was sent")
        self._cluster.run(command, **options)
        raise OutcomeUnknown("dead before the reply")

    def run_many(self, *args: Any, **options: Any) -> Any:
        return self._cluster.run_many(*args, **options)


def test_an_entry_begins_when_it_is_first_seen(cluster: Cluster) -> None:
    announce(cluster, entry())
    duty(cluster).round()
    assert abs(memory(cluster, entry()).covered_ms - now_ms(cluster)) < MINUTE_MS
    assert ready(cluster) == 0


@pytest.mark.parametrize("missed", ["once", "all"])
def test_what_was_missed_is_made_up_by_the_entry_s_policy(cluster: Cluster, missed: str) -> None:
    one = due(cluster, missed=missed)
    leader = duty(cluster)
    for _ in range(3):
        leader.round()
    assert ready(cluster) == (TICKS if missed == "all" else 1)
    seen = memory(cluster, one)
    assert (seen.fired, seen.missed) == ((TICKS, 0) if missed == "all" else (1, TICKS - 1))


def test_two_leaders_fire_a_tick_once(cluster: Cluster) -> None:
    due(cluster, missed="all")
    first, second = duty(cluster), duty(cluster)
    for leader in (first, second, first, second):
        leader.round()
    assert ready(cluster) == TICKS


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
def test_a_leader_dies_around_a_fire(cluster: Cluster, sent: bool) -> None:
    """Each leader takes one step at most; then one comes that lives."""
    one = due(cluster, missed="all")
    for _ in range(2):
        duty(Deadly(cluster, sent=sent)).round()
    assert ready(cluster) == (2 if sent else 0)
    duty(cluster).round()
    assert ready(cluster) == TICKS
    assert [event.word for event in memory(cluster, one).events] == ["fired"] * TICKS


def test_a_failover_loses_a_tick_with_its_job(cluster: Cluster) -> None:
    """The promoted replica has heard of neither: the tick is due again, and there is one job."""
    due(cluster)
    keys = (MAIL.meta, MAIL.crons, MAIL.locks, *MAIL.streams)
    replica = [(key, cluster.run(Command(MAIL.slot, ("DUMP", key)))) for key in keys]
    leader = duty(cluster)
    leader.round()
    assert ready(cluster) == 1
    for key, content in replica:
        cluster.run(Command(MAIL.slot, ("RESTORE", key, 0, content, "REPLACE")))
    assert ready(cluster) == 0
    leader.round()
    leader.round()
    assert ready(cluster) == 1


@pytest.mark.parametrize("ahead_s", [-7200, 7200])
def test_the_leader_s_own_clock_may_be_wrong(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, ahead_s: int
) -> None:
    one = due(cluster, missed="all")
    real_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + ahead_s * 10**9)
    monkeypatch.setattr(time, "time", lambda: (real_ns() + ahead_s * 10**9) / 1e9)
    assert abs(clock.now_ms() - now_ms(cluster)) > 3_600_000
    leader = duty(cluster)
    leader.round()
    leader.round()
    assert ready(cluster) == TICKS
    assert memory(cluster, one).covered_ms <= now_ms(cluster)


def test_a_pause_holds_and_is_not_made_up(cluster: Cluster) -> None:
    due(cluster, missed="all")
    assert admin.pause(cluster, CONTROL, entry().name)
    leader = duty(cluster)
    leader.round()
    assert ready(cluster) == 0
    assert admin.resume(cluster, CONTROL, entry().name)
    leader.round()
    assert ready(cluster) == 0


def test_a_new_version_counts_and_a_changed_schedule_begins_anew(cluster: Cluster) -> None:
    due(cluster, missed="all")
    # Within a millisecond neither list would be the newer one.
    (row,) = cluster.run(Command(CONTROL.slot, ("HMGET", CONTROL.crons, f"h:{OLD_HOST}")))
    seen, _, rest = row.split(b" ", 2)
    cluster.run(Command(CONTROL.slot, ("HSET", CONTROL.crons, f"h:{OLD_HOST}", b"%s 5 %s" % (seen, rest))))
    announce(cluster, entry(missed="all", cron="*/2 * * * *"), host=NEW_HOST)
    duty(cluster).round()
    assert ready(cluster) == 0
    assert memory(cluster, entry()).timing == "*/2 * * * * UTC"


def test_a_pause_moves_with_the_entry_into_another_queue_and_back(cluster: Cluster) -> None:
    """What a partition remembers of it from earlier says nothing of the ticks since."""
    one = due(cluster, missed="all")
    leader = duty(cluster)
    leader.round()
    assert ready(cluster) == TICKS
    assert admin.pause(cluster, CONTROL, one.name)
    elsewhere = msgspec.structs.replace(one, queue="other")
    place = elsewhere.partition(jobs.queue(cluster, "other", 12))
    for paused in (True, False):
        announce(cluster, elsewhere)
        duty(cluster).round()
        (seen,) = cron.look(cluster, place, [one.name])[1]
        assert seen is not None and bool(seen.paused_at_ms) == paused
        assert seen.covered_ms > now_ms(cluster) - MINUTE_MS
        announce(cluster, one)
        duty(cluster).round()
        assert bool(memory(cluster, one).paused_at_ms) == paused
        admin.resume(cluster, CONTROL, one.name)
    assert ready(cluster) == TICKS and jobs.seen(cluster, place).ready == 0


def test_an_entry_whose_zone_is_unknown_here_keeps_no_other_back(cluster: Cluster) -> None:
    one = due(cluster)
    announce(cluster, one, msgspec.structs.replace(one, name="moon", tz="Moon/Base"))
    duty(cluster).round()
    assert ready(cluster) == 1


def test_an_entry_that_nobody_has_any_more_is_silent(cluster: Cluster) -> None:
    due(cluster)
    cron.withdraw(cluster, CONTROL, OLD_HOST)
    duty(cluster).round()
    assert ready(cluster) == 0


def test_a_run_that_goes_on_is_told_of(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    one = due(cluster, missed="all", overlap="skip")
    duty(cluster).round()
    assert ready(cluster) == 1
    (row,) = admin.entries(cluster, CONTROL)
    assert (row["fired"], row["skipped"], row["last"]["state"]) == (1, TICKS - 1, "ready")
    with pytest.raises(CronStillRuns, match=row["last"]["jid"]):
        admin.run(cluster, CONTROL, one.name)


def test_of_a_tracked_job_is_told_how_it_ended(cluster: Cluster) -> None:
    announce(cluster, entry(track=60.0))
    jid = admin.run(cluster, CONTROL, entry().name)
    (job,) = jobs.take(cluster, MAIL, OLD_HOST, OLD_HOST)
    settle.settle(cluster, MAIL, "succeeded", {job.stream: [job.id]})
    (row,) = admin.entries(cluster, CONTROL)
    assert (row["last"]["jid"], row["last"]["state"]) == (jid, "succeeded")


def test_the_next_tick_is_waited_for_when_it_is_near(cluster: Cluster) -> None:
    announce(cluster, entry(), entry(cron="0 0 1 1 *"))
    leader = duty(cluster)
    leader.round()
    wait_ms = leader.round()
    assert wait_ms is None or 0 <= wait_ms <= 1_500


def test_statsd_hears_of_it(cluster: Cluster) -> None:
    one = due(cluster, overlap="skip")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(10)
        config = Config(statsd=f"127.0.0.1:{ear.getsockname()[1]}")
        leader = CronDuty(cluster, CONTROL, Queues(cluster, CONTROL), config)
        leader.round()
        begun(cluster, one, (TICKS + 2) * MINUTE_MS)
        leader.round()
        leader.close()
        heard: dict[str, int] = {}
        while sum(heard.values()) < 2 * TICKS:
            for line in ear.recv(65536).decode().splitlines():
                name, _, value = line.partition(":")
                heard[name] = heard.get(name, 0) + int(value.partition("|")[0])
    missed = 2 * (TICKS - 1)
    assert heard == {"ganger.cron.fired": 1, "ganger.cron.skipped": 1, "ganger.cron.missed": missed}


def test_people_see_and_run_an_entry(cluster: Cluster) -> None:
    announce(cluster, entry())
    (row,) = admin.entries(cluster, CONTROL)
    assert (row["name"], row["last"], row["next_at_ms"]) == (entry().name, None, None)
    jid = admin.run(cluster, CONTROL, entry().name)
    (row,) = admin.entries(cluster, CONTROL)
    assert row["last"]["jid"] == jid and row["next_at_ms"] > now_ms(cluster)
    (event,) = admin.history(cluster, CONTROL, entry().name)
    assert (event["event"], event["jid"], event["count"]) == ("run", jid, None)
    with pytest.raises(CronNotFound, match=entry().name):
        admin.run(cluster, CONTROL, "nobody")


def test_what_is_forgotten_is_what_no_host_has(cluster: Cluster) -> None:
    announce(cluster, entry())
    leader = duty(cluster)
    leader.round()
    admin.pause(cluster, CONTROL, entry().name)
    cron.withdraw(cluster, CONTROL, OLD_HOST)
    for gone in (False, True):
        leader = duty(cluster)
        leader.round()
        if gone:
            cluster.run(Command(MAIL.slot, ("HDEL", MAIL.crons, entry().name)))
        for step in leader.sweeping(cluster, [MAIL]):
            step()
        known = cron.catalog(cluster, CONTROL)
        assert (entry().name in known.homes, entry().name in known.paused) == (not gone, not gone)

"""cron_begin: the ticks of a new entry, or of a new schedule, count from now on."""

import pytest

from ganger.cluster import Cluster
from ganger.cron.due import Step
from ganger.operations import cron
from support.crons import MINUTE_MS, begun, entry, memory
from support.keyspace import MAIL, now_ms, opened, snapshot
from support.servers import ClusterServers


def test_a_new_entry_begins_now(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    at_ms = now_ms(cluster)
    assert cron.begin(cluster, MAIL, entry())
    seen = memory(cluster, entry())
    assert at_ms <= seen.covered_ms <= now_ms(cluster)
    assert (seen.paused_at_ms, seen.fired, seen.events, seen.timing) == (0, 0, (), "* * * * * UTC")
    before = snapshot(cluster_servers)
    assert not cron.begin(cluster, MAIL, entry())
    assert snapshot(cluster_servers) == before


def test_another_schedule_begins_anew_and_keeps_the_rest(cluster: Cluster) -> None:
    """A daily job that becomes an hourly one must not make up for the hours of yesterday."""
    tick = begun(cluster, entry(), 9 * MINUTE_MS) + 1
    cron.fire(cluster, MAIL, entry(), Step(tick, True), 0)
    cron.pause(cluster, MAIL, entry().name)
    at_ms = now_ms(cluster)
    for changed in (entry(cron="0 * * * *"), entry(cron="0 * * * *", tz="Asia/Tokyo")):
        assert cron.begin(cluster, MAIL, changed)
        seen = memory(cluster, changed)
        assert seen.covered_ms >= at_ms and seen.paused_at_ms > 0
        assert [event.word for event in seen.events] == ["paused", "fired"]


@pytest.mark.parametrize("paused", [False, True])
def test_one_that_moves_here_begins_anew_and_obeys_the_wish(cluster: Cluster, paused: bool) -> None:
    """It was here before, months ago, and what was true then says nothing of its ticks since."""
    begun(cluster, entry(), 9 * MINUTE_MS)
    if not paused:
        cron.pause(cluster, MAIL, entry().name)
    at_ms = now_ms(cluster)
    assert cron.begin(cluster, MAIL, entry(), moved=True, paused=paused)
    seen = memory(cluster, entry())
    assert seen.covered_ms >= at_ms and bool(seen.paused_at_ms) == paused


def test_a_partition_is_opened_for_it(cluster: Cluster) -> None:
    assert cron.begin(cluster, MAIL, entry())

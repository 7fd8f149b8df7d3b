"""cron_pause: a pause holds at once, and its ticks are not made up."""

from ganger.cluster import Cluster
from ganger.operations import cron
from support.crons import MINUTE_MS, begun, entry, memory
from support.keyspace import MAIL, now_ms, opened, snapshot
from support.servers import ClusterServers

ONE = entry()


def test_pause_and_resume(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    covered = begun(cluster, ONE, 9 * MINUTE_MS)
    assert cron.pause(cluster, MAIL, ONE.name) == "paused"
    seen = memory(cluster, ONE)
    assert seen.covered_ms == covered and abs(seen.paused_at_ms - now_ms(cluster)) < MINUTE_MS
    before = snapshot(cluster_servers)
    assert cron.pause(cluster, MAIL, ONE.name) == "same"
    assert snapshot(cluster_servers) == before
    assert cron.pause(cluster, MAIL, ONE.name, resume=True) == "resumed"
    seen = memory(cluster, ONE)
    assert seen.paused_at_ms == 0 and seen.covered_ms > covered + 8 * MINUTE_MS
    assert [event.word for event in seen.events] == ["resumed", "paused"]
    assert cron.pause(cluster, MAIL, ONE.name, resume=True) == "same"


def test_an_unknown_entry_is_none(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    before = snapshot(cluster_servers)
    assert cron.pause(cluster, MAIL, "nobody") == "unknown"
    assert snapshot(cluster_servers) == before

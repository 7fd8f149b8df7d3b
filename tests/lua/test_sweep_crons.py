"""sweep_crons: entries that no host has had for long are forgotten."""

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import cron
from support.crons import MINUTE_MS, begun, entry, memory
from support.keyspace import MAIL, now_ms, snapshot
from support.servers import ClusterServers

ONE = entry()


def aged(cluster: Cluster, age_ms: int) -> None:
    """As if a host had last had the entry so long ago."""
    begun(cluster, ONE, MINUTE_MS)
    value = cluster.run(Command(MAIL.slot, ("HGET", MAIL.crons, ONE.name)))
    covered, _, rest = value.split(b"|", 2)
    old = b"%s|%d|%s" % (covered, now_ms(cluster) - age_ms, rest)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.crons, ONE.name, old)))


@pytest.mark.parametrize(
    ("age_ms", "removed"), [(cron.FORGET_AFTER_MS - MINUTE_MS, 0), (cron.FORGET_AFTER_MS + 1, 1)]
)
def test_only_what_is_old_enough_goes(cluster: Cluster, age_ms: int, removed: int) -> None:
    aged(cluster, age_ms)
    assert cron.sweep(cluster, MAIL, ["another"]) == removed
    _, (left,) = cron.look(cluster, MAIL, [ONE.name])
    assert (left is None) == bool(removed)


def test_what_lives_is_young_again(cluster: Cluster) -> None:
    aged(cluster, 2 * cron.FORGET_AFTER_MS)
    before = memory(cluster, ONE)
    assert cron.sweep(cluster, MAIL, [ONE.name]) == 0
    assert memory(cluster, ONE) == before
    assert cron.sweep(cluster, MAIL, []) == 0


def test_garbage_goes_and_the_sentinel_stays(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    begun(cluster, ONE)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.crons, "strange", "what is this?")))
    assert cron.sweep(cluster, MAIL, []) == 1
    assert set(snapshot(cluster_servers)[MAIL.crons]) == {b"", ONE.name.encode()}


def test_an_unopened_partition_is_left_alone(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert cron.sweep(cluster, MAIL, ["x"]) == 0
    assert snapshot(cluster_servers) == {}

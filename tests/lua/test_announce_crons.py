"""announce_crons: each host's list and since when it has had it, every list once."""

import msgspec

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.keys import Control
from ganger.operations import cron
from support.crons import entry
from support.keyspace import now_ms
from support.servers import ClusterServers

CONTROL = Control("ganger")
OLD, NEW = [msgspec.to_builtins(entry())], [msgspec.to_builtins(entry(cron="@daily"))]


def rows(cluster: Cluster) -> dict[str, bytes]:
    flat = cluster.run(Command(CONTROL.slot, ("HGETALL", CONTROL.crons)))
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def since(cluster: Cluster, host: str) -> int:
    return int(rows(cluster)[f"h:{host}"].split(b" ")[1])


def test_hosts_share_a_list(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    for host in ("a", "b"):
        cron.announce(cluster, CONTROL, host, "shop.tasks", OLD)
    found = rows(cluster)
    assert sorted(name[:2] for name in found) == ["d:", "h:", "h:"]
    assert found["h:a"].split(b" ")[3] == b"shop.tasks"
    assert cron.entries(cluster, CONTROL) == {entry().name: entry()}


def test_since_stays_until_the_list_changes(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    cron.announce(cluster, CONTROL, "a", "shop", OLD)
    cluster.run(Command(CONTROL.slot, ("HSET", CONTROL.crons, "h:a", aged(rows(cluster)["h:a"], since=5))))
    cron.announce(cluster, CONTROL, "a", "shop", OLD)
    assert since(cluster, "a") == 5
    cron.announce(cluster, CONTROL, "a", "shop", NEW)
    assert since(cluster, "a") > 5
    assert cron.entries(cluster, CONTROL)[entry().name].cron == "@daily"


def test_the_silent_and_what_only_they_had_are_dropped(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    cron.announce(cluster, CONTROL, "a", "shop", OLD)
    cluster.run(Command(CONTROL.slot, ("HSET", CONTROL.crons, "h:a", aged(rows(cluster)["h:a"], seen=5))))
    cron.announce(cluster, CONTROL, "b", "shop", NEW)
    assert [name for name in rows(cluster) if name.startswith("h:")] == ["h:b"]
    assert len(rows(cluster)) == 2


def test_one_that_leaves_has_no_say(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    cron.announce(cluster, CONTROL, "a", "shop", OLD)
    cron.withdraw(cluster, CONTROL, "a")
    assert cron.entries(cluster, CONTROL) == {}


def test_lists_from_before_the_clock_was_set_back_are_older_than_what_is_new(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    """Hosts of old versions died while the clock was ahead; a new one comes when it is right again."""
    ahead_ms = now_ms(cluster) + 3_600_000
    newer = [msgspec.to_builtins(entry(cron="@weekly"))]
    cron.announce(cluster, CONTROL, "a", "shop", OLD)
    cron.announce(cluster, CONTROL, "b", "shop", NEW)
    for place, host in enumerate(("a", "b")):
        row = aged(rows(cluster)[f"h:{host}"], seen=ahead_ms, since=ahead_ms + place)
        cluster.run(Command(CONTROL.slot, ("HSET", CONTROL.crons, f"h:{host}", row)))
    cron.announce(cluster, CONTROL, "c", "shop", newer)
    assert since(cluster, "a") < since(cluster, "b") < since(cluster, "c") <= now_ms(cluster)
    assert all(
        int(row.split(b" ")[0]) <= now_ms(cluster) for name, row in rows(cluster).items() if name[0] == "h"
    )
    assert cron.entries(cluster, CONTROL)[entry().name].cron == "@weekly"


def aged(row: bytes, *, seen: int | None = None, since: int | None = None) -> bytes:
    words = row.split(b" ")
    words[0] = words[0] if seen is None else b"%d" % seen
    words[1] = words[1] if since is None else b"%d" % since
    return b" ".join(words)

"""retain: a partition is told what to keep, and what is too old or too much goes."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import retain, settle
from ganger.operations.retain import Retention
from support.history import ended, names, rows
from support.keyspace import MAIL, add, counter, lease, now_ms, opened, snapshot
from support.servers import ClusterServers


def test_a_partition_that_retains_keeps_what_ends(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert retain.trim(cluster, MAIL, 12, Retention(60_000, 100)) == (0, False), "it is opened"
    found = snapshot(cluster_servers)
    assert (found[MAIL.meta][b"retain"], found[MAIL.meta][b"careful"]) == (b"60000|9", b"1")
    add(cluster, "1-1", "j1", s="[2]")
    lease(cluster)
    settle.settle(cluster, MAIL, "succeeded", {5: [b"1-1"]})
    kept = rows(snapshot(cluster_servers), MAIL.log)
    assert kept == [
        {b"j": b"j1", b"t": b"shop.send", b"b": b"{}", b"s": b"[2]", b"p": b"5", b"h": b"succeeded"}
    ]
    assert counter(cluster, "succeeded") == 1


def test_what_is_too_old_goes_to_the_ms(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    now = now_ms(cluster)
    for age in range(350, 0, -1):
        ended(cluster, now - age * 60_000, f"j{age}")
    removed, more = retain.trim(cluster, MAIL, 1, Retention(100 * 60_000 + 30_000, 0))
    while more:
        some, more = retain.trim(cluster, MAIL, 1, Retention(100 * 60_000 + 30_000, 0))
        removed += some
    assert removed == 250
    assert names(snapshot(cluster_servers), MAIL.log)[0] == "j100"


def test_of_what_is_too_much_about_so_many_stay(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    for at in range(1, 501):
        ended(cluster, at, f"j{at}")
    retain.trim(cluster, MAIL, 2, Retention(0, 200))
    left = names(snapshot(cluster_servers), MAIL.log)
    assert 100 <= len(left) <= 200 and left[-1] == "j500"


def test_what_retains_no_more_lets_go_of_all(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "retain", "5|5")))
    for at in range(1, 301):
        ended(cluster, at)
    more = True
    while more:
        _, more = retain.trim(cluster, MAIL, 12, Retention())
    found = snapshot(cluster_servers)
    assert found[MAIL.log] == ([], [])
    assert b"retain" not in found[MAIL.meta]

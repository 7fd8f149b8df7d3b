"""copy_in: copies are added once, however often and in whatever chunks they come."""

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.operations import replay
from ganger.operations.replay import Step
from support.history import RUN, names, rows
from support.keyspace import MAIL, counter, opened, snapshot, unstamped
from support.servers import ClusterServers


def copy(cluster: Cluster, *ids: str, source: int = 4, priority: int = 5) -> Step:
    jobs = [
        (id.encode(), f"copy-{source}-{id}", "shop.send", b"r%s\n{}" % RUN.encode(), priority) for id in ids
    ]
    return replay.parse_copy(cluster.run(replay.copy_command(MAIL, RUN, source, jobs)), MAIL)


def test_each_is_added_once(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    assert copy(cluster) == Step(0, b"")
    assert copy(cluster, "9-1", "9-2", "10-1") == Step(3, b"10-1")
    after = snapshot(cluster_servers)
    assert copy(cluster, "9-1", "9-2", "10-1") == Step(3, b"10-1")
    assert unstamped(snapshot(cluster_servers)) == unstamped(after)
    assert copy(cluster, "9-2", "10-1", "10-3", priority=7) == Step(4, b"10-3")
    assert copy(cluster, "9-2", source=5) == Step(1, b"9-2"), "each source has a place of its own"
    found = snapshot(cluster_servers)
    assert names(found, MAIL.ready[4]) == ["copy-4-9-1", "copy-4-9-2", "copy-4-10-1", "copy-5-9-2"]
    assert names(found, MAIL.ready[6]) == ["copy-4-10-3"]
    assert rows(found, MAIL.ready[6])[0][b"b"] == b"r%s\n{}" % RUN.encode()
    assert counter(cluster, "enqueued") == 5
    assert (found[MAIL.meta][b"careful"], found[MAIL.meta][b"drained"]) == (b"1", b"0")
    assert copy(cluster) == Step(4, b"10-3")


def test_a_run_that_is_being_undone_adds_no_more(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.memo, f"y:{RUN}", "0|5|0x")))
    before = snapshot(cluster_servers)
    assert copy(cluster, "9-1").closed
    assert snapshot(cluster_servers) == before


def test_an_unopened_partition_says_so(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    with pytest.raises(Uninitialised):
        copy(cluster, "9-1")
    assert snapshot(cluster_servers) == {}

"""retry: working -> later. The guards of bury and discard are tested here as well: they are the same."""

import pytest

from ganger.cluster import Cluster
from ganger.job import Record
from ganger.operations import recover
from support.keyspace import MAIL, OTHER_HOST, add, counter, now_ms, opened, snapshot
from support.leaving import JID, MOVES, STATE, move, working
from support.servers import ClusterServers


def test_retry_puts_the_body_s_own_bytes_into_later(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    working(cluster)
    before_ms = now_ms(cluster)
    assert cluster.run(move("retry")) == [b"moved"]
    found = snapshot(cluster_servers)
    assert found[MAIL.ready[4]] == ([], [])
    assert before_ms + 5000 <= dict(found[MAIL.later])[JID.encode()] <= now_ms(cluster) + 5000
    record = Record.read(found[MAIL.jobs_bucket(JID)][JID.encode()])
    assert record == Record("shop.send", 5, STATE, b'{"n":9007199254740993}')
    assert [counter(cluster, name) for name in ("failed", "retried", "dead", "exhausted")] == [1, 1, 0, 0]


def test_a_returned_job_keeps_its_own_priority(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    working(cluster, stream=0, p="8")
    cluster.run(move("retry", stream=0))
    assert Record.read(snapshot(cluster_servers)[MAIL.jobs_bucket(JID)][JID.encode()]).priority == 8


@pytest.mark.parametrize("kind", MOVES)
def test_another_host_s_entry_is_not_touched(
    cluster: Cluster, cluster_servers: ClusterServers, kind: str
) -> None:
    working(cluster)
    before = snapshot(cluster_servers)
    assert cluster.run(move(kind, consumer=OTHER_HOST)) == [b"stolen"]
    assert snapshot(cluster_servers) == before


@pytest.mark.parametrize("kind", MOVES)
def test_a_repeat_finds_it_gone(cluster: Cluster, cluster_servers: ClusterServers, kind: str) -> None:
    working(cluster)
    cluster.run(move(kind))
    before = snapshot(cluster_servers)
    assert cluster.run(move(kind)) == [b"gone"]
    assert snapshot(cluster_servers) == before


@pytest.mark.parametrize("kind", MOVES)
def test_an_entry_whose_claim_a_failover_lost_is_still_the_worker_s(cluster: Cluster, kind: str) -> None:
    opened(cluster)
    add(cluster, "1-1", JID)
    assert cluster.run(move(kind)) == [b"moved"]


@pytest.mark.parametrize("kind", MOVES)
def test_a_late_verdict_sends_the_decision_back(
    cluster: Cluster, cluster_servers: ClusterServers, kind: str
) -> None:
    working(cluster)
    recover.note_crash(cluster, MAIL, JID, "death-1")
    before = snapshot(cluster_servers)
    assert cluster.run(move(kind)) == [b"noted", 1]
    assert snapshot(cluster_servers) == before
    assert cluster.run(move(kind, noted=1)) == [b"moved"]
    assert b"v:" + JID.encode() not in snapshot(cluster_servers)[MAIL.memo]


@pytest.mark.parametrize("kind", MOVES)
def test_an_unopened_partition_is_left_alone(
    cluster: Cluster, cluster_servers: ClusterServers, kind: str
) -> None:
    assert cluster.run(move(kind)) == [b"uninitialised"]
    assert snapshot(cluster_servers) == {}

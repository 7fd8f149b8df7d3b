"""once_begin: one holder at a time; a mark that is done, failed or pending says so and stays as it is."""

from typing import Any

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.keys import OnceMark
from ganger.scripts import script
from support.keyspace import snapshot
from support.servers import ClusterServers

MARK = OnceMark("ganger", "charge:42")
JID, OTHER_JID = "job-1", "job-2"
EARLY, LATE = "1700000000000-4503599627370495", "1700000000001-7"


def begin(
    cluster: Cluster,
    token: str = "t1",
    jid: str = "",
    entry: str = "",
    *,
    attempt: int = 1,
    pending_ms: int = 60_000,
    ttl_ms: int = 90_000,
    again: bool = True,
) -> Any:
    args = (token, jid, entry, attempt, pending_ms, ttl_ms, int(again))
    return cluster.run(script("once_begin").command(MARK.slot, (MARK.mark,), args))


def end(cluster: Cluster, state: str, value: str, token: str = "t1", jid: str = "", entry: str = "") -> Any:
    args = (token, jid, entry, 1, state, value, 90_000)
    return cluster.run(script("once_end").command(MARK.slot, (MARK.mark,), args))


def ttl_ms(cluster: Cluster) -> int:
    return int(cluster.run(Command(MARK.slot, ("PTTL", MARK.mark))))


def free(cluster: Cluster) -> None:
    """As if the pending mark's time had come."""
    cluster.run(Command(MARK.slot, ("HSET", MARK.mark, "until", "1")))


def test_a_new_mark_names_its_holder_and_nothing_else_is_made(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    assert begin(cluster, "t1", JID, EARLY, attempt=3) == [b"begun", b""]
    found = snapshot(cluster_servers)
    until = int(found[MARK.mark].pop(b"until"))
    assert found == {
        MARK.mark: {
            b"state": b"pending",
            b"token": b"t1",
            b"jid": JID.encode(),
            b"entry": EARLY.encode(),
            b"attempt": b"3",
            b"value": b"",
            b"earlier": b"",
        }
    }
    assert until > 0
    assert 60_000 < ttl_ms(cluster) <= 90_000
    assert begin(cluster, "t1", JID, EARLY, pending_ms=200_000)[0] == b"begun"


def test_a_mark_outlives_its_pending_time(cluster: Cluster) -> None:
    begin(cluster, pending_ms=200_000)
    assert 190_000 < ttl_ms(cluster) <= 200_000


def test_a_repeat_changes_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    begin(cluster, "t0")
    free(cluster)
    assert begin(cluster, "t1") == [b"begun", b"pending"]
    before = snapshot(cluster_servers)
    assert begin(cluster, "t1") == [b"begun", b"pending"]
    assert snapshot(cluster_servers) == before


@pytest.mark.parametrize(("jid", "entry"), [("", ""), (OTHER_JID, LATE), (JID, EARLY)])
def test_a_pending_mark_refuses_others_and_tells_how_long(
    cluster: Cluster, cluster_servers: ClusterServers, jid: str, entry: str
) -> None:
    """Another caller, another job, and the same delivery a second time."""
    begin(cluster, "t1", JID, EARLY, attempt=2)
    before = snapshot(cluster_servers)
    word, left, holder, attempt = begin(cluster, "t2", jid, entry)
    assert (word, holder, attempt) == (b"pending", JID.encode(), b"2")
    assert 0 < left <= 60_000
    assert snapshot(cluster_servers) == before


def test_a_pending_mark_is_free_after_its_time(cluster: Cluster) -> None:
    begin(cluster, "t1", JID, EARLY)
    free(cluster)
    assert begin(cluster, "t2", OTHER_JID, LATE) == [b"begun", b"pending"]


@pytest.mark.parametrize(
    ("early", "late"),
    [(EARLY, LATE), ("1700000000000-9", "1700000000000-10"), ("999-5", "1000-1")],
)
def test_a_later_delivery_of_the_same_job_takes_over_at_once_and_fences_the_earlier(
    cluster: Cluster, cluster_servers: ClusterServers, early: str, late: str
) -> None:
    begin(cluster, "t1", JID, early)
    assert begin(cluster, "t2", JID, late, attempt=2) == [b"begun", b"pending"]
    before = snapshot(cluster_servers)
    assert begin(cluster, "t3", JID, early) == [b"superseded", b"2"]
    assert end(cluster, "done", "=1", "t1", JID, early) == [b"lost"]
    assert snapshot(cluster_servers) == before


def test_a_done_mark_gives_its_result_to_all(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    begin(cluster, "t1", JID, EARLY)
    end(cluster, "done", "=7", "t1", JID, EARLY)
    before = snapshot(cluster_servers)
    for token, jid, entry in (("t1", JID, EARLY), ("t2", JID, LATE), ("t3", "", "")):
        assert begin(cluster, token, jid, entry, again=False) == [b"done", b"=7"]
    assert snapshot(cluster_servers) == before


def test_a_failed_mark_is_begun_again_or_told(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    begin(cluster, "t1")
    end(cluster, "failed", "ValueError: no")
    before = snapshot(cluster_servers)
    assert begin(cluster, "t2", again=False) == [b"failed", b"ValueError: no"]
    assert snapshot(cluster_servers) == before
    assert begin(cluster, "t2", again=True) == [b"begun", b"failed"]


def test_a_begin_that_comes_after_its_own_end_begins_nothing(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    """A copy that was under way when its holder had long failed: nobody would end it."""
    begin(cluster, "t1")
    end(cluster, "failed", "ValueError: no")
    before = snapshot(cluster_servers)
    assert begin(cluster, "t1") == [b"failed", b"ValueError: no"]
    assert snapshot(cluster_servers) == before


def test_an_earlier_delivery_does_not_begin_what_a_later_one_has_failed(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    begin(cluster, "t2", JID, LATE)
    end(cluster, "failed", "ValueError: no", "t2", JID, LATE)
    before = snapshot(cluster_servers)
    assert begin(cluster, "t1", JID, EARLY)[0] == b"superseded"
    assert snapshot(cluster_servers) == before

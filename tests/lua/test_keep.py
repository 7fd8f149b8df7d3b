"""keep: progress and checkpoints of a job, from its holder alone, until its end."""

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Entry, State
from ganger.operations import dead, settle, track
from ganger.operations.track import Kept
from support.keyspace import HOST, MAIL, OTHER_HOST, add, lease, opened, run, snapshot
from support.leaving import JID, entry, move, working
from support.servers import ClusterServers


def keep(cluster: Cluster, what: str, value: bytes, consumer: str = HOST) -> Kept:
    return track.keep(cluster, entry(), consumer, what, value)


def test_the_last_word_stands_and_any_bytes_survive(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    working(cluster)
    before = snapshot(cluster_servers)
    assert keep(cluster, "p", track.progress_value(12.5, "at | row\n1")) is Kept.KEPT
    assert keep(cluster, "c", b"1|2") is Kept.KEPT
    assert keep(cluster, "c", b'{"row":90000}|x') is Kept.KEPT
    known = track.read(cluster, MAIL, JID)
    assert known.progress is not None and known.end is None
    assert (known.progress.percent, known.progress.message) == (12.5, "at | row\n1")
    assert known.checkpoint == track.checkpoint(cluster, entry()) == b'{"row":90000}|x'
    after = snapshot(cluster_servers)
    assert after[MAIL.meta].pop(b"careful") == b"1"
    assert {key for key in after if after[key] != before[key]} == {MAIL.tracks}


@pytest.mark.parametrize("how", ["another holds it", "it is gone", "nobody holds it"])
def test_who_does_not_hold_it_keeps_nothing(
    cluster: Cluster, cluster_servers: ClusterServers, how: str
) -> None:
    if how == "nobody holds it":
        opened(cluster)
        add(cluster, "1-1", JID)
    else:
        working(cluster)
    if how == "it is gone":
        settle.settle(cluster, MAIL, "succeeded", {5: [b"1-1"]})
    before = snapshot(cluster_servers)
    consumer = OTHER_HOST if how == "another holds it" else HOST
    assert keep(cluster, "c", b"1", consumer) is (Kept.STOLEN if consumer != HOST else Kept.GONE)
    assert snapshot(cluster_servers) == before


@pytest.mark.parametrize("end", ["succeeded", "exhausted", "bury", "retry"])
def test_the_end_of_a_plain_job_takes_them_along(cluster: Cluster, end: str) -> None:
    """A retry and a dead letter keep the checkpoint: the next attempt goes on there."""
    working(cluster)
    keep(cluster, "c", b"90000")
    keep(cluster, "p", b"40|")
    if end in ("succeeded", "exhausted"):
        settle.settle(cluster, MAIL, end, {5: [b"1-1"]})  # type: ignore[arg-type]
    else:
        cluster.run(move(end))
    kept = {b"c:" + JID.encode(), b"p:" + JID.encode()} if end in ("bury", "retry") else set()
    assert set(cluster.run(Command(MAIL.slot, ("HKEYS", MAIL.tracks)))) == {b""} | kept


def test_the_next_attempt_is_handed_it(cluster: Cluster) -> None:
    working(cluster)
    keep(cluster, "c", b"90000")
    cluster.run(move("retry"))
    add(cluster, "2-1", JID)
    lease(cluster)
    again = Entry(MAIL, 5, b"2-1", JID, "shop.send", State(attempts=1), b"")
    assert track.checkpoint(cluster, again) == b"90000"
    assert track.keep(cluster, entry(), HOST, "c", b"1") is Kept.GONE, "the first attempt lives on somewhere"
    assert track.checkpoint(cluster, again) == b"90000"


@pytest.mark.parametrize("how", ["deleted", "trimmed"])
def test_a_dead_letter_takes_them_along_when_it_goes(cluster: Cluster, how: str) -> None:
    working(cluster)
    keep(cluster, "c", b"90000")
    cluster.run(move("bury"))
    if how == "deleted":
        assert dead.delete(cluster, MAIL, [JID]) == 1
    else:
        run(cluster, "dead_trim", (MAIL.meta, MAIL.tracks, MAIL.dead, *MAIL.jobs), 0, 10**12)
    assert cluster.run(Command(MAIL.slot, ("HKEYS", MAIL.tracks))) == [b""]

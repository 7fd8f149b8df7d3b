"""finish: a tracked success ends, with its result."""

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Entry, State
from ganger.operations import track
from support.keyspace import MAIL, add, counter, lease, now_ms, opened, snapshot
from support.leaving import JID
from support.servers import ClusterServers

ENTRY = Entry(MAIL, 5, b"1-1", JID, "shop.send", State(), b"")


def working(cluster: Cluster, body: str = 't60000\n{"args":[1]}') -> None:
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "careful", "1")))
    add(cluster, "1-1", JID, b=body)
    lease(cluster)


def test_it_is_over_and_its_result_is_found(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    working(cluster)
    track.keep(cluster, ENTRY, "a" * 16, "c", b"90000")
    word = track.put_result(cluster, ENTRY, b'{"sum":3}', 60_000)
    assert track.finish(cluster, ENTRY, 1234, word, peak_rss_bytes=77)
    known = track.read(cluster, MAIL, JID)
    assert known.end is not None and known.checkpoint is None
    assert abs(known.end.at_ms - now_ms(cluster)) < 60_000
    assert (known.end.how, known.end.type, known.end.ran_ms) == ("succeeded", "shop.send", 1234)
    assert known.end.peak_rss_bytes == 77
    assert known.end.kept is not None and known.end.why is None
    assert track.get_result(cluster, MAIL, JID, known.end.kept) == b'{"sum":3}'
    ttl = cluster.run(Command(MAIL.slot, ("PTTL", MAIL.result(JID, b"1-1"))))
    assert 0 < ttl <= 60_000
    after = snapshot(cluster_servers)
    assert after[MAIL.ready[4]] == ([], []) and counter(cluster, "succeeded") == 1
    assert not track.finish(cluster, ENTRY, 1, word)
    assert snapshot(cluster_servers) == after


@pytest.mark.parametrize(
    ("word", "why"), [(track.NONE, None), (track.refused("it was|too\nlarge"), "it was/too large")]
)
def test_a_result_of_nothing_and_one_that_was_not_kept(cluster: Cluster, word: str, why: str | None) -> None:
    working(cluster)
    assert track.finish(cluster, ENTRY, 5, word)
    end = track.read(cluster, MAIL, JID).end
    assert end is not None and (end.kept, end.why) == (None, why)


def test_another_attempt_s_result_is_not_taken_for_its_own(cluster: Cluster) -> None:
    """An attempt that had lost its lease ran to its end as well."""
    working(cluster)
    fenced_off = Entry(MAIL, 5, b"0-7", JID, "shop.send", State(), b"")
    word = track.put_result(cluster, ENTRY, b"2", 60_000)
    assert track.finish(cluster, ENTRY, 1, word)
    assert not track.finish(cluster, fenced_off, 1, track.put_result(cluster, fenced_off, b"1", 60_000))
    end = track.read(cluster, MAIL, JID).end
    assert end is not None and end.kept is not None
    assert track.get_result(cluster, MAIL, JID, end.kept) == b"2"


def test_a_job_without_a_label_leaves_no_note(cluster: Cluster) -> None:
    working(cluster, body="{}")
    assert track.finish(cluster, ENTRY, 1, track.NONE)
    assert track.read(cluster, MAIL, JID).end is None and counter(cluster, "succeeded") == 1

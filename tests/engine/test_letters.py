"""Dead letters of many partitions at once: their order, their filters, and that a few are held at a time."""

import pytest

from ganger import letters, listing
from ganger.calls import open_partition
from ganger.cluster import Cluster, Command
from ganger.job import FailureRecord, State, encode_state
from ganger.keys import Partition, partitions
from ganger.listing import JobFilter
from ganger.operations.kept import Shelf

MAIL = partitions("ganger", "mail", 3)
SEGFAULT = State(attempts=1, crashes=1, failures=[FailureRecord("segfault", "SIGSEGV", "ended")])
RAISED = State(attempts=1, failures=[FailureRecord("segfault"), FailureRecord("exception", "Oops", "Nope")])


def bury(
    cluster: Cluster, partition: Partition, at_ms: int, jid: str, state: State, body: str = "{}"
) -> None:
    told = encode_state(state)
    record = b"shop.send\n5\n%d\n%s%s" % (len(told), told, body.encode())
    cluster.run(Command(partition.slot, ("HSET", partition.jobs_bucket(jid), jid, record)))
    cluster.run(Command(partition.slot, ("ZADD", partition.dead, at_ms, jid)))


@pytest.fixture
def buried(cluster: Cluster) -> list[str]:
    """400 letters over three partitions, in the order of their deaths; every fourth one of a segfault."""
    for partition in MAIL:
        open_partition(cluster, partition)
    jids = [f"letter-{number:04}" for number in range(400)]
    for number, jid in enumerate(jids):
        bury(cluster, MAIL[number % 3], 1000 + number, jid, RAISED if number % 4 else SEGFAULT)
    return jids


def test_all_partitions_are_merged_newest_first(cluster: Cluster, buried: list[str]) -> None:
    found = listing.merged(cluster, MAIL, Shelf.DEAD)
    assert [letter.jid for letter in found] == buried[::-1]
    found = listing.merged(
        cluster, MAIL, Shelf.DEAD, JobFilter(cause="segfault", since_ms=1100, until_ms=1200)
    )
    assert [letter.jid for letter in found] == buried[100:201:4][::-1]


def test_the_last_failure_decides(cluster: Cluster, buried: list[str]) -> None:
    assert letters.count(cluster, MAIL, JobFilter(cause="segfault")) == {"mail": 100}
    assert letters.count(cluster, MAIL, JobFilter(error="oops: nope")) == {"mail": 300}
    assert letters.count(cluster, MAIL, JobFilter(cause="segfault", error="nope")) == {}
    assert letters.count(cluster, MAIL[:0]) == {}


def test_what_dies_again_meanwhile_is_left_alone(cluster: Cluster, buried: list[str]) -> None:
    went = 0
    for count in letters.each(cluster, MAIL, letters.send_back):
        went += count
        for partition in MAIL:
            bury(cluster, partition, 5000 + went, f"again-{partition.index}-{went}", RAISED)
    left = [letter.jid for letter in listing.merged(cluster, MAIL, Shelf.DEAD)]
    assert went >= 400
    assert all(jid.startswith("again-") for jid in left)
    assert {"again-0-100", "again-0-134"} <= set(left), "a partition is gone through once"


def test_a_rate_is_kept(cluster: Cluster, buried: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    monkeypatch.setattr("ganger.letters.monotonic_s", lambda: now_s[0])
    monkeypatch.setattr("ganger.letters.sleep", lambda s: now_s.__setitem__(0, now_s[0] + s))
    counts = list(letters.each(cluster, MAIL, letters.delete, JobFilter(cause="segfault"), rate=50))
    assert (sum(counts), max(counts)) == (100, 5)
    assert 1.8 <= now_s[0] <= 2.0


def test_bodies_come_a_few_at_a_time(cluster: Cluster) -> None:
    open_partition(cluster, MAIL[0])
    for number in range(40):
        bury(cluster, MAIL[0], 1000 + number, f"big-{number}", RAISED, "x" * 300_000)
    heads = listing.merged(cluster, MAIL[:1], Shelf.DEAD)
    first = next(listing.whole(cluster, heads))
    assert (first.jid, len(first.record.body)) == ("big-39", 300_000)
    assert next(heads).jid == "big-23"  # sixteen were read ahead
    assert letters.delete(cluster, [next(heads)]) == 1
    assert len(list(listing.whole(cluster, listing.merged(cluster, MAIL[:1], Shelf.DEAD)))) == 39

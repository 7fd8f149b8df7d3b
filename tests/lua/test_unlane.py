"""unlane: words that nobody says any more are taken back, and the jobs of their lanes wait as before."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import lanes
from ganger.operations.lanes import EVERY_TYPE, Mark, Unlaned, key_digest
from support.keyspace import MAIL, add, now_ms, snapshot
from support.laned import aside, heard, jids, look, marked, over, sort, take, unlane, unsorted, words
from support.servers import ClusterServers


def filled(cluster: Cluster) -> None:
    """a1, a2 in two lanes of a, a3 unsorted, b1, b2 in the lane of b."""
    marked(cluster, Mark("a", True), Mark("b", False))
    for place, jid in enumerate(("a1", "b1", "a2", "b2"), start=1):
        add(cluster, f"{place}-1", jid, stream=place, t=jid[0], b='{"n":9007199254740993}')
    take(cluster)
    sort(cluster, *((job.id, "a", key_digest("args.n", job.jid)) for job in unsorted(cluster)))
    add(cluster, "9-1", "a3", t="a")
    take(cluster, 2)


def owes(cluster: Cluster) -> bool:
    return bool(cluster.run(Command(MAIL.slot, ("HGET", MAIL.meta, "unlane"))))


def test_as_long_as_they_are_said_all_stays(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    filled(cluster)
    assert lanes.parse_marked(cluster.run(lanes.marked_command(MAIL)))
    before = snapshot(cluster_servers)
    assert unlane(cluster) == Unlaned(0, "", "")
    assert snapshot(cluster_servers) == before


def test_a_word_from_before_the_clock_was_set_back_is_over_when_a_new_one_would_be(cluster: Cluster) -> None:
    """The last host that knew the rule died while the clock was ahead by an hour."""
    filled(cluster)
    aside(cluster, Mark("a", True), ttl_ms=3_600_000 + lanes.MARK_MS)
    assert unlane(cluster) == Unlaned(0, "", "") and words(cluster) == "!a b"
    said = cluster.run(Command(MAIL.slot, ("HGET", MAIL.meta, "aside"))).decode().split()
    assert all(int(word.partition("=")[2]) <= now_ms(cluster) + lanes.MARK_MS for word in said)


def test_jobs_of_a_word_that_is_over_wait_as_before(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    filled(cluster)
    over(cluster, "!a")
    step = unlane(cluster)
    assert (step.moved, step.after) == (3, "") and not owes(cluster)
    assert words(cluster) == "b"
    found = snapshot(cluster_servers)
    assert [row[b"j"] for _, row in found[MAIL.parked][0]] == [b"b2", b"b1"]
    rows = {row[b"j"]: row for _, row in found[MAIL.returned][0]}
    assert rows[b"a2"] == {b"j": b"a2", b"t": b"a", b"b": b'{"n":9007199254740993}', b"s": b"", b"p": b"3"}
    assert len(found[MAIL.lanes]) == 3 and unsorted(cluster) == []
    assert set(jids(take(cluster, 3).entries)) == {"a1", "a2", "a3"}
    over(cluster, "b")
    assert unlane(cluster).moved == 2
    assert words(cluster) == "" and not lanes.parse_marked(cluster.run(lanes.marked_command(MAIL)))


def test_chunk_by_chunk_and_owed_until_the_end(cluster: Cluster) -> None:
    filled(cluster)
    over(cluster, "!a", "b")
    step, moved, calls = unlane(cluster, limit=2), 0, 1
    while step.after:
        moved += step.moved
        assert owes(cluster) and lanes.parse_marked(cluster.run(lanes.marked_command(MAIL)))
        step, calls = unlane(cluster, step.after, step.debt, limit=2), calls + 1
    assert moved + step.moved == 5 and calls == 3 and not owes(cluster)


def test_what_is_owed_anew_meanwhile_stays_owed(cluster: Cluster) -> None:
    filled(cluster)
    over(cluster, "!a")
    step = unlane(cluster, limit=1)
    over(cluster, "b")
    assert unlane(cluster, limit=1).debt != step.debt  # another leader, which has begun as well
    while step.after:
        step = unlane(cluster, step.after, step.debt, limit=1)
    assert owes(cluster)
    step = unlane(cluster)
    assert not owes(cluster) and look(cluster) == ([], "")


def test_a_type_that_is_limited_again_meanwhile_keeps_what_lies_in_lanes(cluster: Cluster) -> None:
    filled(cluster)
    over(cluster, "!a")
    step = unlane(cluster, limit=1)
    assert step.moved == 1
    aside(cluster, Mark("a", True))
    assert unlane(cluster, step.after, step.debt).moved == unlane(cluster).moved == 0 and not owes(cluster)
    take(cluster, 3)
    assert len(unsorted(cluster)) == 1 and len(look(cluster)[0]) == 3


def test_the_word_for_every_type(cluster: Cluster) -> None:
    marked(cluster, Mark(EVERY_TYPE, True))
    add(cluster, "1-1", "j1", t="any")
    take(cluster)
    assert [job.jid for job in unsorted(cluster)] == ["j1"]
    over(cluster, "!*")
    assert unlane(cluster).moved == 1


def test_lanes_by_another_argument_are_emptied_and_their_jobs_put_aside_anew(cluster: Cluster) -> None:
    filled(cluster)
    aside(cluster, Mark("a", True, "args.other"))
    assert owes(cluster)
    assert unlane(cluster).moved == 2 and not owes(cluster)  # a3 is unsorted still, b has its own lane
    take(cluster, 3)
    sort(cluster, *((job.id, "a", key_digest("args.n", 1)) for job in unsorted(cluster)))
    assert len(unsorted(cluster)) == 3, "a worker that knew the old argument is late"
    sort(cluster, *((job.id, "a", key_digest("args.other", 1)) for job in unsorted(cluster)))
    assert unsorted(cluster) == [] and unlane(cluster).moved == 0
    aside(cluster, Mark("a", True, "args.other"), Mark("b", True, "args.n"))
    assert unlane(cluster).moved == 2
    aside(cluster, Mark("a", False))
    assert unlane(cluster).moved == 3


def test_a_drained_partition_is_rung(cluster: Cluster) -> None:
    filled(cluster)
    over(cluster, "b")
    assert heard(cluster, lambda: unlane(cluster)) == [b"4"]


def test_what_somebody_has_removed_by_hand_is_forgotten(cluster: Cluster) -> None:
    filled(cluster)
    over(cluster, "!a", "b")
    cluster.run(Command(MAIL.slot, ("XTRIM", MAIL.parked, "MAXLEN", 0)))
    assert unlane(cluster).moved == 0
    assert cluster.run(Command(MAIL.slot, ("ZCARD", MAIL.lanes))) == 1


def test_an_unopened_partition_owes_nothing(cluster: Cluster) -> None:
    assert unlane(cluster) == Unlaned(0, "", "")
    assert not lanes.parse_marked(cluster.run(lanes.marked_command(MAIL)))

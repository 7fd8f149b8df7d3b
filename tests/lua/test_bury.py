"""bury: working -> dead, within bounds."""

from ganger.calls import fresh
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Record
from ganger.operations import failing, kept
from ganger.operations.kept import Shelf
from support.keyspace import HOST, MAIL, add, counter, lease, now_ms, opened, run, snapshot
from support.leaving import JID, STATE, move, working
from support.servers import ClusterServers


def test_bury_keeps_it_among_the_dead(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    working(cluster)
    before_ms = now_ms(cluster)
    assert cluster.run(move("bury")) == [b"moved"]
    found = snapshot(cluster_servers)
    assert found[MAIL.ready[4]] == ([], [])
    assert before_ms <= dict(found[MAIL.dead])[JID.encode()] <= now_ms(cluster)
    record = Record.read(found[MAIL.jobs_bucket(JID)][JID.encode()])
    assert record == Record("shop.send", 5, STATE, b'{"n":9007199254740993}')
    assert [counter(cluster, name) for name in ("failed", "retried", "dead", "exhausted")] == [1, 0, 1, 0]


def test_an_entry_that_is_no_job_is_set_aside_whole(cluster: Cluster) -> None:
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("XADD", MAIL.ready[4], "1-1", "hello", "world")))
    lease(cluster)
    assert failing.set_aside(cluster, MAIL, HOST, 5, b"1-1") == "moved"
    (letter,) = kept.parse_list(cluster.run(kept.list_command(MAIL, Shelf.DEAD)), MAIL).jobs
    assert (letter.jid, letter.record.type, letter.record.body) == ("garbled-1-1", "garbled", b"hello\nworld")


def test_the_dead_are_bounded_by_number_and_age(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    for place in range(4):
        jid = JID[:-1] + str(place)
        add(cluster, f"{place + 1}-1", jid)
        if place == 0:
            cluster.run(Command(MAIL.slot, ("ZADD", MAIL.dead, 1, "ancient")))
            cluster.run(Command(MAIL.slot, ("HSET", MAIL.jobs_bucket("ancient"), "ancient", "x")))
        keys = (MAIL.meta, MAIL.memo, *MAIL.ends, MAIL.ready[4], MAIL.dead, *MAIL.jobs)
        args = (*fresh(), HOST, 5, f"{place + 1}-1", jid, "shop.send", 0, "", 3, 60_000)
        assert run(cluster, "bury", keys, *args) == [b"moved"]
    found = snapshot(cluster_servers)
    assert {jid for jid, _ in found[MAIL.dead]} == {b"", *((JID[:-1] + place).encode() for place in "123")}
    assert sum(len(found[bucket]) - 1 for bucket in MAIL.jobs) == 3
    assert counter(cluster, "trimmed") == 2

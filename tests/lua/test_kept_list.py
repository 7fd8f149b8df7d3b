"""kept_list: what lies in later and among the dead letters, in order, behind a cursor."""

from typing import Any

from ganger import jid as jids
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Record, State
from ganger.operations import dead, enqueue, kept
from ganger.operations.enqueue import NewJob
from ganger.operations.kept import Cursor, Page, Shelf
from support.keyspace import MAIL, buried, opened, snapshot
from support.servers import ClusterServers

FIRST_MS = 2_000_000_000_000
"""When the first of `buried` died; each further one a millisecond after."""


def page(cluster: Cluster, after: Cursor | None = None, shelf: Shelf = Shelf.DEAD, **more: Any) -> Page:
    return kept.parse_list(cluster.run(kept.list_command(MAIL, shelf, after, **more)), MAIL)


def listed(cluster: Cluster, **more: Any) -> list[list[str]]:
    """Page by page to the end."""
    pages: list[list[str]] = []
    after: Cursor | None = None
    while True:
        found = page(cluster, after, **more)
        pages.append([job.jid for job in found.jobs])
        if found.next is None:
            return pages
        after = found.next


def test_newest_first_in_pages(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    made = buried(cluster, 5)
    before = snapshot(cluster_servers)
    assert listed(cluster, limit=2) == [[made[4], made[3]], [made[2], made[1]], [made[0]]]
    (letter,) = page(cluster, limit=1).jobs
    assert letter.record == Record("shop.send", 5, State(attempts=3, crashes=2), b"{}")
    assert snapshot(cluster_servers) == before


def test_a_page_goes_on_where_the_last_one_ended_whatever_has_gone_or_come(cluster: Cluster) -> None:
    made = buried(cluster, 4)
    for jid in made:
        cluster.run(Command(MAIL.slot, ("ZADD", MAIL.dead, FIRST_MS, jid)))
    first = page(cluster, limit=2)
    assert [job.jid for job in first.jobs] == [made[3], made[2]]
    dead.delete(cluster, MAIL, [made[2]])
    cluster.run(Command(MAIL.slot, ("ZADD", MAIL.dead, FIRST_MS + 1, "buried-since")))
    assert first.next is not None
    rest = page(cluster, first.next)
    assert ([job.jid for job in rest.jobs], rest.next) == ([made[1], made[0]], None)


def test_of_a_type_or_a_time(cluster: Cluster) -> None:
    made = buried(cluster, 4)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.jobs_bucket(made[1]), made[1], "shop.sends\n5\n0\n{}")))
    assert listed(cluster, type="shop.send") == [[made[3], made[2], made[0]]]
    assert listed(cluster, type="shop.sends") == [[made[1]]]
    assert listed(cluster, type="shop") == [[]]
    assert listed(cluster, since_ms=FIRST_MS + 2) == [[made[3], made[2]]]
    assert listed(cluster, until_ms=FIRST_MS + 1) == [[made[1], made[0]]]


def test_what_is_due_first_comes_first(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert listed(cluster, shelf=Shelf.LATER) == [[]]
    opened(cluster)
    made = jids.mint("mail", 3, 5)
    for jid, at_ms in zip(made, (5000, 1000, 3000, 3000, 3000), strict=True):
        enqueue.schedule(cluster, MAIL, 5, [NewJob(jid, "shop.send", b"{}")], at_ms=at_ms)
    before = snapshot(cluster_servers)
    due = [made[1], *sorted(made[2:]), made[0]]
    assert listed(cluster, shelf=Shelf.LATER, limit=2) == [due[:2], due[2:4], due[4:]]
    assert listed(cluster, shelf=Shelf.LATER, since_ms=2000, until_ms=4000) == [due[1:4]]
    (first,) = page(cluster, shelf=Shelf.LATER, limit=1).jobs
    assert (first.at_ms, first.record) == (1000, Record("shop.send", 5, State(), b"{}"))
    assert snapshot(cluster_servers) == before


def test_a_head_has_all_but_the_body(cluster: Cluster) -> None:
    made = buried(cluster, 2, "x" * 5000)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.jobs_bucket(made[0]), made[0], "torn")))
    whole, torn = page(cluster, heads=True).jobs
    assert whole.record == Record("shop.send", 5, State(attempts=3, crashes=2), b"")
    assert torn.record.type == "garbled"


def test_big_ones_come_a_few_at_a_time(cluster: Cluster) -> None:
    made = buried(cluster, 6, "x" * (1 << 20))
    assert listed(cluster) == [made[:2:-1], made[2::-1]]


def test_a_call_looks_at_a_thousand(cluster: Cluster) -> None:
    buried(cluster, 1)
    rows = [word for number in range(1500) for word in (FIRST_MS, f"filler-{number:04}")]
    cluster.run(Command(MAIL.slot, ("ZADD", MAIL.dead, *rows)))
    found = page(cluster, type="shop.send")
    assert (found.jobs, found.next) == ([], Cursor(str(FIRST_MS), "filler-0500"))
    assert sum(len(one) for one in listed(cluster, type="shop.send")) == 1


def test_a_page_in_the_middle_of_many_due_at_once_costs_no_more_than_the_first(cluster: Cluster) -> None:
    """A million jobs scheduled for midnight: the place behind the cursor is found by halving."""
    opened(cluster)
    for start in range(0, 60_000, 5_000):
        rows = [word for n in range(start, start + 5_000) for word in (FIRST_MS, f"filler-{n:05}")]
        cluster.run(Command(MAIL.slot, ("ZADD", MAIL.later, *rows)))
        cluster.run(Command(MAIL.slot, ("ZADD", MAIL.dead, *rows)))
    node = cluster.node_of(MAIL.slot)
    assert node is not None
    for shelf, place, expected in ((Shelf.LATER, 59_990, 59_991), (Shelf.DEAD, 10, 9)):
        cluster.run_on(node, ("CONFIG", "RESETSTAT"))
        found = page(cluster, Cursor(str(FIRST_MS), f"filler-{place:05}"), shelf, limit=5)
        assert found.jobs[0].jid == f"filler-{expected:05}"
        called = cluster.run_on(node, ("INFO", "commandstats"))
        stats = dict(row.split(":", 1) for row in called.decode().splitlines() if ":" in row)
        calls = int(stats["cmdstat_zrange"].partition("calls=")[2].partition(",")[0])
        assert calls < 30, f"{shelf}: {calls}"

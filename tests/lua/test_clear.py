"""clear: what waits goes, chunk by chunk and up to a mark; what is at work stays."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.jid import mint
from ganger.operations import claim, clear, enqueue
from ganger.operations.enqueue import NewJob
from support.keyspace import HOST, MAIL, WORKER, add, counter, lease, opened, snapshot
from support.servers import ClusterServers

END = b"9-9"


def sweep(cluster: Cluster, mark: bytes = END, limit: int = 500) -> tuple[int, bool]:
    return clear.parse(cluster.run(clear.waiting_command(MAIL, mark, limit)), MAIL)


def test_what_waits_goes_and_what_is_at_work_stays(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    add(cluster, "1-1", "working")
    lease(cluster)
    add(cluster, "2-1", "ready")
    add(cluster, "2-1", "urgent", stream=9)
    add(cluster, "2-1", "back", stream=0, p="7")
    words = ("j", "parked", "t", "shop.send", "b", "{}", "p", "5")
    cluster.run(Command(MAIL.slot, ("XADD", MAIL.parked, "2-1", *words)))
    before = snapshot(cluster_servers)
    assert sweep(cluster) == (4, False)
    after = snapshot(cluster_servers)
    assert after.pop(MAIL.meta) == before.pop(MAIL.meta) | {b"cancelled": b"4"}
    for key in (MAIL.returned, MAIL.ready[8], MAIL.parked):
        assert (before.pop(key)[0] != [], after.pop(key)) == (True, ([], []))
    assert [row[b"j"] for _, row in before.pop(MAIL.ready[4])[0]] == [b"working", b"ready"]
    rows, leases = after.pop(MAIL.ready[4])
    assert ([row[b"j"] for _, row in rows], leases) == ([b"working"], [(b"1-1", HOST.encode())])
    assert after == before
    assert sweep(cluster) == (0, False)


def test_chunk_by_chunk_and_no_further_than_the_mark(cluster: Cluster) -> None:
    opened(cluster)
    for place in range(1, 6):
        add(cluster, f"{place}-1", f"j{place}")
    assert sweep(cluster, b"4-1", limit=3) == (3, True)
    assert sweep(cluster, b"4-1", limit=3) == (1, False)
    assert counter(cluster, "cancelled") == 4
    assert [entry.jid for entry in claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=1).entries] == ["j5"]


def test_the_mark_is_the_newest_id_given_out(cluster: Cluster) -> None:
    opened(cluster)
    assert clear.parse_mark(cluster.run(clear.mark_command(MAIL))) == b"0-0"
    for jid in mint("mail", 3, 2):
        enqueue.push(cluster, MAIL, 5, [NewJob(jid, "t", b"{}")])
    mark = clear.parse_mark(cluster.run(clear.mark_command(MAIL)))
    enqueue.push(cluster, MAIL, 5, [NewJob(mint("mail", 3)[0], "t", b"{}")])
    assert sweep(cluster, mark) == (2, False)


def test_what_the_jobs_held_is_given_up(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "careful", "1", "retain", "1000|1000")))
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.locks, "1f", "mine|99")))
    add(cluster, "1-1", "mine", b="u1f b0b:17\n{}")
    sweep(cluster)
    found = snapshot(cluster_servers)
    assert found[MAIL.locks] == {b"": b""}
    assert found[MAIL.outbox] == {b"": b"", b"b:0b:17": b"cancelled mine"}
    assert found[MAIL.log] == ([], [])


def test_an_unopened_partition_is_empty(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert sweep(cluster) == (0, False)
    assert snapshot(cluster_servers) == {}

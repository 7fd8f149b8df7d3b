"""What every script that ends a job owes to others: lib/ending.lua, through each script that uses it."""

from collections.abc import Callable
from typing import Any

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.jid import mint
from ganger.job import Entry, State
from ganger.operations import claim, enqueue, recover, settle
from ganger.operations.enqueue import NewJob
from support.keyspace import HOST, MAIL, WORKER, add, counter, lease, now_ms, opened, snapshot
from support.leaving import JID, move
from support.servers import ClusterServers

LABEL = "u1f b0b:17 t60000"
BODY = LABEL + '\n{"n":9007199254740993}'


def owing(cluster: Cluster, holder: str = JID, label: str = LABEL) -> None:
    """A labelled job at work, its lock held, in a partition that retains."""
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "careful", "1", "retain", "1000|1000")))
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.locks, "1f", f"{holder}|99", "2e", "another|99")))
    add(cluster, "1-1", JID, b=label + '\n{"n":9007199254740993}')
    lease(cluster)


def recovering(cluster: Cluster) -> object:
    (found,) = recover.leases(cluster, MAIL, 0).leases
    entry = Entry(MAIL, found.stream, found.id, JID, "shop.send", State(), b"")
    return recover.recover(cluster, found, entry, State(lost=5), bury=True)


ENDS: dict[str, tuple[str, Callable[[Cluster], object]]] = {
    "settle": ("succeeded", lambda cluster: settle.settle(cluster, MAIL, "succeeded", {5: [b"1-1"]})),
    "cancel": ("cancelled", lambda cluster: settle.settle(cluster, MAIL, "cancelled", {5: [b"1-1"]})),
    "discard": ("exhausted", lambda cluster: cluster.run(move("discard"))),
    "bury": ("dead", lambda cluster: cluster.run(move("bury"))),
    "recover": ("dead", recovering),
}


@pytest.mark.parametrize("how", ENDS)
def test_an_end_frees_tells_and_notes(cluster: Cluster, cluster_servers: ClusterServers, how: str) -> None:
    owing(cluster)
    word, end = ENDS[how]
    end(cluster)
    found = snapshot(cluster_servers)
    assert found[MAIL.locks] == {b"": b"", b"2e": b"another|99"}
    assert found[MAIL.outbox] == {b"": b"", b"b:0b:17": f"{word} {JID}".encode()}
    told, _, _ = found[MAIL.tracks][b"e:" + JID.encode()].partition(b"\n")
    at_ms, *about = told.split(b"|")
    assert abs(int(at_ms) - now_ms(cluster)) < 60_000
    assert about == [b"60000", word.encode(), b"shop.send"]
    rows, _ = found[MAIL.log]
    if word in ("dead", "cancelled"):
        assert rows == []
        return
    ((_, fields),) = rows
    assert fields[b"h"] == word.encode() and fields[b"b"] == BODY.encode()
    assert (fields[b"j"], fields[b"t"], fields[b"p"]) == (JID.encode(), b"shop.send", b"5")


@pytest.mark.parametrize("how", ENDS)
def test_a_lock_that_another_job_holds_stays(
    cluster: Cluster, cluster_servers: ClusterServers, how: str
) -> None:
    owing(cluster, holder="another")
    ENDS[how][1](cluster)
    assert snapshot(cluster_servers)[MAIL.locks][b"1f"] == b"another|99"


@pytest.mark.parametrize("how", sorted(ENDS.keys() - {"recover"}))
def test_a_repeat_tells_nothing_again(cluster: Cluster, cluster_servers: ClusterServers, how: str) -> None:
    owing(cluster)
    ENDS[how][1](cluster)
    before = snapshot(cluster_servers)
    ENDS[how][1](cluster)
    assert snapshot(cluster_servers) == before


def test_plain_jobs_owe_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    add(cluster, "1-1", JID)
    lease(cluster)
    before = snapshot(cluster_servers)
    settle.settle(cluster, MAIL, "succeeded", {5: [b"1-1"]})
    found = snapshot(cluster_servers)
    assert [found[key] for key in MAIL.ends] == [before[key] for key in MAIL.ends]


def test_a_labelled_push_makes_its_partition_careful(cluster: Cluster) -> None:
    opened(cluster)
    for push in (enqueue.push_command, enqueue.schedule_command):
        cluster.run(Command(MAIL.slot, ("HDEL", MAIL.meta, "careful")))
        given: dict[str, Any] = {} if push is enqueue.push_command else {"delay_ms": 60_000}
        cluster.run(push(MAIL, 5, [NewJob(mint("mail", 3)[0], "shop.send", b"{}")], **given))
        assert cluster.run(Command(MAIL.slot, ("HGET", MAIL.meta, "careful"))) is None
        cluster.run(push(MAIL, 5, [NewJob(mint("mail", 3)[0], "shop.send", b"x5\n{}")], **given))
        assert cluster.run(Command(MAIL.slot, ("HGET", MAIL.meta, "careful"))) == b"1"


def test_expired_jobs_end_at_the_claim_in_bulk(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    """Hundreds of them don't delay the live ones behind them, and take nothing of the budget."""
    opened(cluster)
    late, soon = now_ms(cluster) - 1, now_ms(cluster) + 600_000
    made = mint("mail", 3, 240)
    jobs = [NewJob(jid, "shop.send", f"x{late} u{place}\n{{}}".encode()) for place, jid in enumerate(made)]
    jobs[120] = NewJob(made[120], "shop.send", f"x{soon}\n{{}}".encode())
    jobs[239] = NewJob(made[239], "shop.send", b"{}")
    enqueue.push(cluster, MAIL, 5, jobs)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.locks, "7", f"{made[7]}|1")))
    got = claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=1000, costs={"shop.send": 1})
    assert [entry.jid for entry in got.entries] == [made[120], made[239]] and not got.more
    again = claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=1000, costs={"shop.send": 1})
    assert [entry.jid for entry in again.entries] == [made[120], made[239]]
    found = snapshot(cluster_servers)
    assert len(found[MAIL.ready[4]][0]) == 2 and found[MAIL.locks] == {b"": b""}
    assert counter(cluster, "expired") == 238


def test_a_claim_stops_at_some_hundred_expired_ones_and_says_that_there_is_more(cluster: Cluster) -> None:
    opened(cluster)
    for _ in range(2):
        jobs = [NewJob(jid, "shop.send", b"x1\n{}") for jid in mint("mail", 3, 200)]
        enqueue.push(cluster, MAIL, 5, jobs)
    got = claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=1000, costs={"shop.send": 1})
    assert got.entries == [] and got.more
    assert 250 <= counter(cluster, "expired") < 270
    got = claim.claim(cluster, MAIL, HOST, WORKER, 2, budget_us=1000, costs={"shop.send": 1})
    assert got.entries == [] and not got.more
    assert counter(cluster, "expired") == 400


def test_an_expired_job_among_the_returned_does_not_hide_the_others(cluster: Cluster) -> None:
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "careful", "1")))
    add(cluster, "1-1", "a", stream=0, p="5", b="x1\n{}")
    add(cluster, "2-1", "b", stream=0, p="5")
    got = claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=1000, costs={"shop.send": 1})
    assert [entry.jid for entry in got.entries] == ["b"]


def test_a_paused_partition_gives_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    enqueue.push(cluster, MAIL, 5, [NewJob(mint("mail", 3)[0], "shop.send", b"{}")])
    first = claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=1000, costs={})
    enqueue.push(cluster, MAIL, 5, [NewJob(mint("mail", 3)[0], "shop.send", b"{}")])
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "paused", "1")))
    before = snapshot(cluster_servers)
    assert claim.claim(cluster, MAIL, HOST, WORKER, 2, budget_us=1000, costs={}).entries == []
    again = claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=1000, costs={})
    assert again.entries == first.entries, "a repeat answers what was claimed before the pause"
    assert snapshot(cluster_servers) == before


def test_a_success_is_told_even_if_another_delivery_failed_before_that(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    owing(cluster)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.outbox, "b:0b:17", f"succeeded {JID}")))
    cluster.run(move("bury"))
    assert snapshot(cluster_servers)[MAIL.outbox] == {b"": b"", b"b:0b:17": f"succeeded {JID}".encode()}

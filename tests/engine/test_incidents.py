"""Incidents: each test is one way in which a queue on Redis has lost, doubled or stuck a job, and does not
here."""

import os
import signal
import socket
from random import Random
from typing import Any

import pytest

from ganger import inspect
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import JobNotFound, OutcomeUnknown, ServerFull
from ganger.jid import encode, mint, producer_of
from ganger.job import Entry, State
from ganger.keys import Control
from ganger.operations import claim, control, enqueue, failing, find, look, recover, settle
from ganger.operations.enqueue import NewJob
from ganger.retry import Bury, Failure, Policy, Recover, Retry, decide
from support.keyspace import HOST, MAIL, OTHER_HOST, WORKER, now_ms, opened, snapshot
from support.moves import commands, declared
from support.servers import ClusterServers

COSTS = claim.pack_costs({"shop.send": 1})


def new(count: int = 1) -> list[NewJob]:
    return [NewJob(jid, "shop.send", b"{}") for jid in mint("mail", 3, count)]


def take(cluster: Cluster, op: int = 1, consumer: str = HOST, worker: str = WORKER) -> list[Entry]:
    return claim.claim(cluster, MAIL, consumer, worker, op, budget_us=10**9, costs=COSTS).entries


def see(cluster: Cluster) -> look.Look:
    return look.parse_look(cluster.run(look.look_command(MAIL)), MAIL)


def test_a_promoted_replica_never_hands_out_an_id_again(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    """The lost primary's clock was ahead, its last write unreplicated: the next id must not be that one's."""
    opened(cluster)
    node = cluster_servers.nodes[cluster_servers.index_of(MAIL.slot)].client
    ahead = now_ms(cluster) + 5000
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "ms", ahead)))
    enqueue.push(cluster, MAIL, 5, new())
    replicated = {key: node.dump(key) for key in (MAIL.meta, MAIL.memo, MAIL.ready[4])}
    enqueue.push(cluster, MAIL, 5, new())
    lost = [entry.id for entry in take(cluster)][1]
    for key, value in replicated.items():
        node.restore(key, 0, value or b"", replace=True)
    enqueue.push(cluster, MAIL, 5, new())
    kept = [entry.id for entry in take(cluster, op=2)]
    assert lost not in kept
    assert settle.settle(cluster, MAIL, "succeeded", {5: [lost]}) == 0


def test_two_forks_of_a_web_server_push_as_two_producers(cluster: Cluster) -> None:
    enqueue.push(cluster, MAIL, 5, new())
    pids, readers = [], []
    for _ in range(2):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:  # the transport forked with it is used as it is
            try:
                job = new()
                enqueue.push(cluster, MAIL, 5, job)
                os.write(writer, job[0].jid.encode())
            finally:
                os._exit(0)
        os.close(writer)
        pids.append(pid)
        readers.append(reader)
    made = [os.read(reader, 100).decode() for reader in readers]
    for pid, reader in zip(pids, readers, strict=True):
        os.waitpid(pid, 0)
        os.close(reader)
    assert len({producer_of(jid) for jid in [*made, new()[0].jid]}) == 3
    assert see(cluster).ready == 3


def test_a_full_server_drains(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    enqueue.push(cluster, MAIL, 5, new(5))
    nodes = cluster_servers.nodes[: cluster_servers.primaries]
    for node in nodes:
        node.call("CONFIG", "SET", "maxmemory", 1)
    try:
        with pytest.raises(ServerFull):
            enqueue.push(cluster, MAIL, 5, new(), deadline_s=1.0)
        entries = take(cluster)
        assert settle.settle(cluster, MAIL, "succeeded", {5: [entries[0].id]}) == 1
        assert failing.apply(cluster, entries[1], HOST, Retry(1000, State(attempts=1))) == "moved"
        assert failing.apply(cluster, entries[2], HOST, Bury(State(attempts=1))) == "moved"
        assert failing.release(cluster, MAIL, HOST, [(entries[3], None)]) == ["moved"]
        renewing = claim.renew_command(MAIL, HOST, {5: [entries[4].id]})
        assert claim.parse_renew(cluster.run(renewing), MAIL).lost == []
    finally:
        for node in nodes:
            node.call("CONFIG", "SET", "maxmemory", 0)


def test_a_claim_that_runs_after_its_worker_died_leaves_nothing_behind(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    """Sent to a stopped server by a worker that is killed: it runs when the server goes on."""
    opened(cluster)
    enqueue.push(cluster, MAIL, 5, new(3))
    sibling = claim.command(MAIL, HOST, "2" * 16, 1, 1, 1, 1 << 20, COSTS)
    cluster.run(sibling)
    node = cluster_servers.nodes[cluster_servers.index_of(MAIL.slot)]
    words = (
        [b"AUTH", b"open sesame"],
        list(claim.command(MAIL, HOST, WORKER, 1, 10**9, 64, 1 << 20, COSTS).words),
    )
    with socket.create_connection(("127.0.0.1", node.port)) as raw:
        node.signal(signal.SIGSTOP)
        for one in words:
            raw.sendall(b"*%d\r\n" % len(one) + b"".join(map(_bulk, one)))
    node.signal(signal.SIGCONT)
    held = claim.close(cluster, MAIL, HOST, WORKER, 1)
    assert len(held) in (0, 2)  # whether the close or the ghost came first
    assert not take(cluster, op=1) or held
    assert len(recover.leases(cluster, MAIL, 0).leases) == 1 + len(held)


def _bulk(word: Any) -> bytes:
    data = word if isinstance(word, bytes) else str(word).encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


@pytest.mark.parametrize("name", sorted(commands()))
def test_declared_keys_exist_when_nothing_is_in_them(cluster: Cluster, name: str) -> None:
    """An absent one would answer TRYAGAIN from the beginning of a slot migration to its end."""
    opened(cluster)
    keys = declared(commands()[name])
    assert keys
    assert cluster.run(Command(MAIL.slot, ("EXISTS", *keys))) == len(keys)


def test_an_empty_partition_works_while_its_slot_migrates(
    moving: Cluster, moving_servers: ClusterServers
) -> None:
    source = moving_servers.index_of(MAIL.slot)
    target = (source + 1) % 3
    opened(moving)
    moving_servers.begin_move(MAIL.slot, source, target)
    try:
        for name, command in commands().items():
            assert moving.run(command, deadline_s=2.0)[0] != b"uninitialised", name
    finally:
        for node in moving_servers.nodes:
            node.call("CLUSTER SETSLOT", MAIL.slot, "STABLE")


def test_a_clock_step_expires_no_lease_that_was_renewed(cluster: Cluster) -> None:
    """The promoted node's clock is far ahead, so every lease looks idle; the owner renewed in the
    meantime."""
    enqueue.push(cluster, MAIL, 5, new())
    (entry,) = take(cluster)
    aged = ("XCLAIM", MAIL.ready[4], "workers", HOST, 0, entry.id, "IDLE", 3_600_000, "JUSTID")
    cluster.run(Command(MAIL.slot, aged))
    (old,) = recover.leases(cluster, MAIL, 15_000).leases
    cluster.run(claim.renew_command(MAIL, HOST, {5: [entry.id]}))
    assert not recover.recover(cluster, old, entry, State(lost=1))
    assert see(cluster).in_flight == 1


def test_a_renewal_steals_nothing(cluster: Cluster) -> None:
    """A failover lost A's claim and B has the entry now; A still renews what it believes to hold."""
    enqueue.push(cluster, MAIL, 5, new())
    (entry,) = take(cluster, consumer=OTHER_HOST)
    reply = cluster.run(claim.renew_command(MAIL, HOST, {5: [entry.id]}))
    assert claim.parse_renew(reply, MAIL).lost == [(5, entry.id)]
    (still,) = recover.leases(cluster, MAIL, 0).leases
    assert still.consumer == OTHER_HOST


def test_a_job_that_is_done_does_not_run_again_when_only_its_claim_was_lost(cluster: Cluster) -> None:
    enqueue.push(cluster, MAIL, 5, new())
    (entry,) = take(cluster)
    group = ("XGROUP", "SETID", MAIL.ready[4], "workers", "0")
    cluster.run(Command(MAIL.slot, ("XACK", MAIL.ready[4], "workers", entry.id)))
    cluster.run(Command(MAIL.slot, group))
    assert see(cluster).ready == 1
    assert settle.settle(cluster, MAIL, "succeeded", {5: [entry.id]}) == 1
    assert take(cluster, op=2) == []


def test_a_dead_master_s_consumer_goes_only_when_it_holds_nothing(cluster: Cluster) -> None:
    enqueue.push(cluster, MAIL, 5, new())
    (entry,) = take(cluster)
    assert recover.drop_consumers(cluster, MAIL, 0) == []
    settle.settle(cluster, MAIL, "succeeded", {5: [entry.id]})
    assert recover.drop_consumers(cluster, MAIL, 0) == [HOST]


def test_a_jid_alone_leads_to_its_job(cluster: Cluster) -> None:
    """Wherever it is, with no index, and among queues whose digests it might share."""
    keys = Control("ganger")
    control.register_queue(cluster, keys, "mail")
    control.register_queue(cluster, keys, "other")
    jobs = new(4)
    jids = [job.jid for job in jobs]
    enqueue.push(cluster, MAIL, 5, jobs)
    entries = {entry.jid: entry for entry in take(cluster)}
    failing.apply(cluster, entries[jids[0]], HOST, Retry(60_000, State(attempts=1)))
    failing.apply(cluster, entries[jids[1]], HOST, Bury(State(attempts=1)))
    failing.release(cluster, MAIL, HOST, [(entries[jids[2]], None)])
    states = [inspect.locate(cluster, keys, jid).state.value for jid in jids]
    assert states == ["scheduled", "dead", "ready", "working"]
    with pytest.raises(JobNotFound):
        inspect.locate(cluster, keys, mint("mail", 3)[0])


def test_pushes_of_one_producer_may_overtake_each_other(cluster: Cluster) -> None:
    """An async client: op 6 ran, then op 5 is sent again; within 64 ops each is known for itself."""
    stem = mint("mail", 3)[0][:21]

    def push(op: int) -> bool:
        return enqueue.push(cluster, MAIL, 5, [NewJob(stem + encode(op, 5) + "000", "shop.send", b"{}")])

    assert [push(op) for op in (5, 7, 6, 5, 6, 60, 8)] == [True, True, True, False, False, True, True]
    assert push(69)
    with pytest.raises(OutcomeUnknown) as caught:
        push(5)
    assert caught.value.jids == (stem + encode(5, 5) + "000",)
    assert see(cluster).ready == 6


def test_a_poison_pill_s_crash_counts_although_its_verdict_came_late(cluster: Cluster) -> None:
    """The coordinator was away: the lease was judged lost, the job went round again, then the verdict
    came."""
    policy = Policy(retry=10, crash_limit=2)
    enqueue.push(cluster, MAIL, 5, new())
    (entry,) = take(cluster)
    (old,) = recover.leases(cluster, MAIL, 0).leases
    assert recover.recover(cluster, old, entry, State(lost=1))
    crash = Failure("segfault", at_ms=5)
    late = failing.fail(cluster, entry, HOST, policy, crash, Random(1))
    assert late.outcome == "gone"
    recover.note_crash(cluster, MAIL, entry.jid, "death-1")
    (again,) = take(cluster, op=2, consumer=OTHER_HOST)
    verdict = failing.fail(cluster, again, OTHER_HOST, policy, crash, Random(1))
    assert verdict.outcome == "moved"
    assert isinstance(verdict.decision, Bury)
    assert (verdict.decision.state.crashes, verdict.decision.state.lost) == (2, 0)
    found = find.find(cluster, MAIL, entry.jid)
    assert found is not None and found.state.value == "dead"


def test_a_job_that_takes_its_host_down_each_time_ends_visibly(cluster: Cluster) -> None:
    policy = Policy(lost_limit=3)
    enqueue.push(cluster, MAIL, 5, new())
    for round in range(1, 4):
        (entry,) = take(cluster, op=round)
        (old,) = recover.leases(cluster, MAIL, 0).leases
        decision = decide(policy, entry.state, Failure("lost"), Random(1))
        assert isinstance(decision, Bury if round == 3 else Recover)
        assert recover.recover(cluster, old, entry, decision.state, bury=round == 3)
    assert (see(cluster).dead, see(cluster).counters["lost"], see(cluster).ready) == (1, 3, 0)


def test_garbage_in_a_stream_is_set_aside_and_the_rest_runs(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    opened(cluster)
    for place, fields in enumerate(
        (("x", "y"), ("j", b"\xff", "t", b"\xfe", "b", "1"), ("j", "1", "t", "2", "s", "["))
    ):
        cluster.run(Command(MAIL.slot, ("XADD", MAIL.ready[4], f"{place + 1}-1", *fields)))
    enqueue.push(cluster, MAIL, 5, new())
    found: list[str] = []
    for op in range(1, 6):
        got = claim.claim(cluster, MAIL, HOST, WORKER, op, budget_us=1, costs=COSTS)
        found += [entry.type for entry in got.entries]
        for one in got.garbled:
            assert failing.set_aside(cluster, MAIL, HOST, one.stream, one.id) == "moved"
    assert found == ["shop.send"]
    letters = list(inspect.dead(cluster, _registered(cluster)))
    assert sorted(letter["jid"] for letter in letters) == ["garbled-1-1", "garbled-2-1", "garbled-3-1"]
    assert snapshot(cluster_servers)[MAIL.returned] == ([], [])


def _registered(cluster: Cluster) -> Control:
    keys = Control("ganger")
    control.register_queue(cluster, keys, "mail")
    return keys

"""The scheduler as a whole, in this process: what is due, what is lost, and who leads."""

from collections.abc import Iterator
from contextlib import ExitStack
from random import Random

import pytest

from ganger import jid as jids
from ganger.cluster import Cluster, Command
from ganger.errors import NodeDown
from ganger.job import Body, encode_body
from ganger.keys import Partition
from ganger.operations import claim, control, enqueue, recover
from gangerd.messages import Drain
from gangerd.roles.loop import MS, LeaveLoop
from gangerd.roles.scheduler.recovery import Recovery
from gangerd.roles.scheduler.service import Scheduler
from support import jobs
from support.jobs import KEYS
from support.roles import HOST, Stage, stage
from support.servers import ClusterServers
from support.waiting import until

GONE = "00000000000000ee"
"""A host that is no more."""


@pytest.fixture
def at(cluster_servers: ClusterServers) -> Iterator[Stage]:
    with stage(cluster_servers.url, lease_ms=300) as made:
        yield made


@pytest.fixture
def mail(cluster: Cluster) -> tuple[Partition, ...]:
    return jobs.queue(cluster, count=3)


def begin(at: Stage, cluster: Cluster) -> Scheduler:
    """A scheduler on the stage, after its first round."""
    scheduler = Scheduler(at.role, cluster)
    scheduler.begin()
    at.role.listen(scheduler.handle)
    at.role.loop.round(0.0)
    return scheduler


def later(cluster: Cluster, partition: Partition, delay_ms: int) -> str:
    (jid,) = jids.mint(partition.queue, partition.index)
    new = [enqueue.NewJob(jid, "shop.send", encode_body(Body()))]
    enqueue.schedule(cluster, partition, 5, new, delay_ms=delay_ms)
    return jid


def test_due_jobs_become_ready_at_their_time(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    scheduler = begin(at, cluster)
    assert scheduler.leads()
    soon, late = later(cluster, mail[0], 1_200), later(cluster, mail[1], 60_000)
    at.run_until(lambda: jobs.seen(cluster, mail[0]).ready == 1, "promoted")
    assert jobs.where(cluster, mail[0], soon) == ("ready", 0, 0, 0, 0)
    assert jobs.where(cluster, mail[1], late) == ("scheduled", 0, 0, 0, 0)


def test_more_than_one_call_promotes_are_promoted_without_waiting(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    (first, *_) = made = jids.mint("mail", 0, 250)
    enqueue.schedule(cluster, mail[0], 5, [enqueue.NewJob(jid, "t", b"{}") for jid in made], delay_ms=0)
    begin(at, cluster)
    at.run_until(lambda: jobs.seen(cluster, mail[0]).ready == 250, "all of them", deadline_s=1.9)
    assert jobs.where(cluster, mail[0], first) == ("ready", 0, 0, 0, 0)


def test_old_dead_letters_go_without_a_new_burial(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    for partition in mail:
        rows = [word for number in range(150) for word in (number + 1, f"filler-{number}")]
        cluster.run(Command(partition.slot, ("ZADD", partition.dead, *rows)))
    begin(at, cluster)
    at.run_until(lambda: [jobs.seen(cluster, part).dead for part in mail] == [0, 0, 0], "trimmed")


def test_a_host_that_is_gone_loses_its_jobs_after_a_lease(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    jid, other = jobs.push(cluster, mail[0], 2)
    jobs.take(cluster, mail[0], GONE, GONE)
    begin(at, cluster)
    at.run_until(lambda: jobs.seen(cluster, mail[0]).waiting == {0: 2}, "brought back")
    assert jobs.where(cluster, mail[0], jid) == ("ready", 0, 0, 1, 0)
    assert jobs.where(cluster, mail[0], other) == ("ready", 0, 0, 1, 0)
    assert jobs.seen(cluster, mail[0]).counters["lost"] == 2
    told = control.crashes(cluster, KEYS)
    assert {(one["jid"], one["cause"], one["host"]) for one in told} == {
        (jid, "lost", GONE),
        (other, "lost", GONE),
    }


def test_a_look_that_fails_does_not_begin_the_watch_anew(
    cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    jobs.push(cluster, mail[0], 1)
    jobs.take(cluster, mail[0], GONE, GONE)
    recovery = Recovery(cluster, KEYS, 29, Random(1))
    assert recovery.heard(mail[0], cluster.run(recovery.command(mail[0])), 0) == 0

    def listed() -> object:
        """Entries are listed once they are a millisecond old."""
        return cluster.run(recovery.command(mail[0]))

    until(lambda: len(recover.parse_leases(listed(), mail[0]).leases) == 1, "it is listed")
    assert recovery.heard(mail[0], listed(), 1 * MS) == 0
    with pytest.raises(NodeDown):
        recovery.heard(mail[0], NodeDown("away"), 20 * MS)
    assert recovery.heard(mail[0], listed(), 30 * MS) == 1
    assert jobs.seen(cluster, mail[0]).waiting == {0: 1}


def test_what_is_renewed_is_never_lost(cluster: Cluster, mail: tuple[Partition, ...], at: Stage) -> None:
    jobs.push(cluster, mail[0], 2)
    kept, lost = jobs.take(cluster, mail[0], HOST, HOST)
    begin(at, cluster)

    def lost_only() -> bool:
        cluster.run(claim.renew_command(mail[0], HOST, {kept.stream: [kept.id]}))
        return jobs.seen(cluster, mail[0]).waiting == {0: 1}

    at.run_until(lost_only, "the other one is brought back")
    assert jobs.where(cluster, mail[0], kept.jid) == ("working", 0, 0, 0, 0)
    assert jobs.where(cluster, mail[0], lost.jid) == ("ready", 0, 0, 1, 0)


def test_a_job_that_takes_its_hosts_down_ends_among_the_dead(
    cluster: Cluster, mail: tuple[Partition, ...], cluster_servers: ClusterServers
) -> None:
    (jid,) = jobs.push(cluster, mail[0])
    with stage(cluster_servers.url, lease_ms=1) as at:
        begin(at, cluster)
        for op in range(1, 6):
            assert jobs.take(cluster, mail[0], GONE, GONE, op)
            at.run_until(lambda: jobs.seen(cluster, mail[0]).in_flight == 0, f"judged for the {op}. time")
    assert jobs.where(cluster, mail[0], jid) == ("dead", 0, 0, 5, 0)


def test_garbage_that_somebody_held_goes_to_the_dead_letters(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    cluster.run(Command(mail[0].slot, ("XADD", mail[0].streams[5], "1-1", "no", "job")))
    cluster.run(Command(mail[0].slot, ("HSET", mail[0].meta, "drained", "0")))
    assert claim.claim(cluster, mail[0], GONE, GONE, 1, budget_us=1).garbled
    begin(at, cluster)
    at.run_until(lambda: jobs.seen(cluster, mail[0]).dead == 1, "set aside")
    assert jobs.where(cluster, mail[0], "garbled-1-1") is not None


def test_one_leads_and_another_takes_over(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    mail = jobs.queue(cluster)
    with ExitStack() as stages:
        first = stages.enter_context(stage(cluster_servers.url))
        leader = begin(first, cluster)
        other = stages.enter_context(stage(cluster_servers.url, lease_ms=300, incarnation="00000000000000bb"))
        successor = begin(other, cluster)
        assert (leader.leads(), successor.leads()) == (True, False)
        first.master.send(Drain())
        with pytest.raises(LeaveLoop):
            first.run_until(lambda: False, "left")
        other.run_until(successor.leads, "the other leads")
        jid = later(cluster, mail[0], 0)
        other.run_until(lambda: jobs.seen(cluster, mail[0]).ready == 1, "and does the work")
        assert jobs.where(cluster, mail[0], jid) == ("ready", 0, 0, 0, 0)


def test_who_lost_the_lead_does_nothing_more(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    scheduler = begin(at, cluster)
    assert scheduler.leads()
    control.abdicate(cluster, KEYS, HOST)
    assert control.lead(cluster, KEYS, GONE, 60_000).held
    at.run_until(lambda: not scheduler.leads(), "noticed")
    later(cluster, mail[0], 0)
    scheduler._promote()
    scheduler._round()
    assert jobs.seen(cluster, mail[0]).ready == 0
    assert scheduler._promotion.next_ns() is None

"""peek: whether anything waits, and of which priority."""

from ganger import jid as jids
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import enqueue, look
from ganger.operations.enqueue import NewJob
from ganger.operations.lanes import Mark
from support.keyspace import (
    MAIL,
    add,
    lease,
    opened,
)
from support.laned import marked, sort, take, unsorted


def peek(cluster: Cluster) -> look.Peek:
    return look.parse_peek(cluster.run(look.peek_command(MAIL)), MAIL)


def test_the_highest_waiting_priority_counts(cluster: Cluster) -> None:
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "drained", "0")))
    assert peek(cluster) == look.Peek(0, None)
    add(cluster, "1-1", stream=3)
    assert peek(cluster).highest == 3
    add(cluster, "1-1", stream=0, p="7")
    assert peek(cluster).highest == 7
    lease(cluster, stream=0)
    add(cluster, "1-1", stream=9)
    lease(cluster, stream=9)
    assert peek(cluster).highest == 3


def test_the_next_due_time_is_told(cluster: Cluster) -> None:
    opened(cluster)
    jobs = [NewJob(jids.mint("mail", 3)[0], "shop.send", b"{}")]
    enqueue.schedule(cluster, MAIL, 5, jobs, delay_ms=60_000)
    due_in = peek(cluster).next_due_in_ms
    assert due_in is not None and 50_000 < due_in <= 60_000


def test_an_unopened_partition_holds_nothing(cluster: Cluster) -> None:
    assert peek(cluster) == look.Peek(0, None)


def test_lanes_with_jobs_are_told_and_unsorted_ones_want_a_worker(cluster: Cluster) -> None:
    marked(cluster, Mark("a", True), Mark("b", False))
    assert peek(cluster) == look.Peek(0, None)
    add(cluster, "1-1", "a1", t="a", stream=3)
    add(cluster, "1-1", "a2", t="a", stream=7)
    take(cluster)
    assert peek(cluster) == look.Peek(7, None)
    add(cluster, "2-1", "b1", t="b", stream=3)
    take(cluster, 2)
    assert peek(cluster) == look.Peek(7, None, lanes=True)
    sort(cluster, *((job.id, "a", "") for job in unsorted(cluster)))
    assert peek(cluster) == look.Peek(0, None, lanes=True)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "paused", "1")))
    assert peek(cluster) == look.Peek(0, None)

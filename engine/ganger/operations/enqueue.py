"""Push: new jobs into ready, or into later when they are not due yet. One call is one op (see jid.py).

A call that is repeated, by the transport or by a producer who never saw the reply, adds nothing twice: the
partition's memo knows the op for ten minutes. The client builds bodies and picks the partition; the scheduler
moves what is in later (schedule.py).
"""

from collections.abc import Sequence

from ganger import jid as jids
from ganger.calls import call, checked, fresh, unremembered
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import OutcomeUnknown
from ganger.job import NewJob as NewJob
from ganger.keys import Partition
from ganger.scripts import script


def push_command(
    partition: Partition, priority: int, jobs: Sequence[NewJob], *, delivery: str | None = None
) -> Command:
    """For run_many; its reply goes through parse_push. With `delivery`, all the jobs are remembered for a day
    under that name (a parcel's), and not by the op that made them."""
    keys = (partition.meta, partition.memo, partition.streams[priority])
    args = (partition.wake, *fresh(), *_op(jobs, delivery), priority, *(word for job in jobs for word in job))
    return script("push").command(partition.slot, keys, args)


def parse_push(reply: object, partition: Partition, jobs: Sequence[NewJob]) -> bool:
    """True: added. False: this op had added them before. Raises what the transport met; OutcomeUnknown
    when the op is too old for the memo to tell; Uninitialised when the partition must be opened first."""
    word = checked(reply, partition)[0]
    if word == b"stale":
        raise unremembered([job.jid for job in jobs])
    return bool(word == b"pushed")


def push(
    cluster: Cluster,
    partition: Partition,
    priority: int,
    jobs: Sequence[NewJob],
    *,
    deadline_s: float = 10.0,
    replicas: int = 0,
) -> bool:
    """Add jobs to ready; see parse_push. Raises OutcomeUnknown (with .jids), NodeDown, ServerFull..."""
    command = push_command(partition, priority, jobs)
    return _run(cluster, partition, command, jobs, deadline_s, replicas)


def delivered_command(partition: Partition, deliveries: Sequence[str]) -> Command:
    """These can't be delivered again: their outbox holds them no more. For run_many; nobody minds when it is
    lost."""
    keys = (partition.meta, partition.memo)
    return script("note_delivered").command(partition.slot, keys, deliveries)


def schedule_command(
    partition: Partition,
    priority: int,
    jobs: Sequence[NewJob],
    *,
    delay_ms: int | None = None,
    at_ms: int | None = None,
    delivery: str | None = None,
) -> Command:
    """Due `delay_ms` from now by the node's clock, or at the instant `at_ms`: exactly one of them is
    given."""
    if (delay_ms is None) == (at_ms is None):
        raise ValueError("give either delay_ms or at_ms")
    when = ("in", delay_ms) if delay_ms is not None else ("at", at_ms or 0)
    keys = (partition.meta, partition.memo, partition.later, *partition.jobs)
    args = (*when, *_op(jobs, delivery), priority, *(word for job in jobs for word in job))
    return script("schedule").command(partition.slot, keys, args)


def schedule(
    cluster: Cluster,
    partition: Partition,
    priority: int,
    jobs: Sequence[NewJob],
    *,
    delay_ms: int | None = None,
    at_ms: int | None = None,
    deadline_s: float = 10.0,
    replicas: int = 0,
) -> bool:
    """Add jobs to later; otherwise like push."""
    command = schedule_command(partition, priority, jobs, delay_ms=delay_ms, at_ms=at_ms)
    return _run(cluster, partition, command, jobs, deadline_s, replicas)


def _run(
    cluster: Cluster,
    partition: Partition,
    command: Command,
    jobs: Sequence[NewJob],
    deadline_s: float,
    replicas: int,
) -> bool:
    try:
        reply = call(cluster, partition, command, deadline_s=deadline_s, replicas=replicas)
    except OutcomeUnknown as error:
        raise OutcomeUnknown(str(error), jids=[job.jid for job in jobs]) from error
    return parse_push(reply, partition, jobs)


def _op(jobs: Sequence[NewJob], delivery: str | None = None) -> tuple[str, int, str]:
    """(producer, op, the jobs' places within it). A delivery is a producer of its own with one op, which is
    all there or not: no producer's name begins with an o."""
    if delivery is not None:
        return f"o{delivery}", 0, "000-zzz"
    first = jobs[0].jid
    return jids.producer_of(first), jids.op_of(first), jids.span_of([job.jid for job in jobs])

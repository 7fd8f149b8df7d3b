"""Unique: a job together with the lock of its digest, in one slot and one script.

The client routes by the digest (partition = digest modulo their number), so that lock and job lie together.
The end of the job frees the lock in the script that ends it (lua/lib/ending.lua), `unlock` frees it at the
start where that is asked for. A lock has an owner as long as it counts: the jid in it, and a time to live.
"""

from dataclasses import dataclass
from typing import Any, Literal

from ganger import jid as jids
from ganger.calls import call, checked, fresh, parse_time, time_command, unremembered
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.job import NewJob
from ganger.keys import Partition
from ganger.scripts import script

Conflict = Literal["skip", "raise", "replace"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a unique push: `pushed` (or known already), `held` by another job, or `waiting`: the
    holder is to be replaced, and its entry must be named first."""

    word: Literal["pushed", "held", "waiting"]
    holder: str | None = None
    until_ms: int = 0


def push_command(
    partition: Partition,
    priority: int,
    job: NewJob,
    digest: str,
    ttl_ms: int,
    *,
    delay_ms: int | None = None,
    at_ms: int | None = None,
    replace: bool = False,
    old: tuple[int | None, bytes] | None = None,
) -> Command:
    """The lock lasts `ttl_ms` from when the job is due. `old`: (stream, id) of the holder's waiting entry,
    with no stream of a parked one."""
    unit, amount = (
        ("in", delay_ms) if delay_ms is not None else ("at", at_ms) if at_ms is not None else ("", 0)
    )
    keys = (partition.meta, partition.memo, *partition.ends, partition.later, partition.lanes)
    op = (jids.producer_of(job.jid), jids.op_of(job.jid), jids.span_of([job.jid]))
    what = (unit, amount or 0, priority, job.jid, job.type, job.body, digest, ttl_ms)
    stream, id = old or (0, b"")
    entry = (len(partition.streams) if stream is None else stream, id)
    args = (*fresh(), partition.wake, *op, *what, "replace" if replace else "", *entry)
    rest = (*partition.jobs, *partition.streams, partition.parked)
    return script("push_unique").command(partition.slot, (*keys, *rest), args)


def parse_push(reply: Any, partition: Partition, jid: str) -> Answer:
    """Raises what the transport met, Uninitialised, and OutcomeUnknown like an ordinary push."""
    reply = checked(reply, partition)
    match reply[0]:
        case b"held" | b"waiting":
            return Answer(reply[0].decode(), reply[1].decode(), int(reply[2]))
        case b"stale":
            raise unremembered([jid])
    return Answer("pushed")


def unlock(
    cluster: Cluster, partition: Partition, digest: str, jid: str, *, deadline_s: float = 10.0
) -> bool:
    """Free the lock if it is this job's; whether it was. A repeat finds it free, or another's."""
    command = script("unlock").command(partition.slot, (partition.meta, partition.locks), (digest, jid))
    return bool(call(cluster, partition, command, deadline_s=deadline_s)[0] == b"unlocked")


def holder(
    cluster: Cluster, partition: Partition, digest: str, *, deadline_s: float = 10.0
) -> tuple[str, int] | None:
    """(jid, until ms) of whoever holds the lock now, by its node's clock, or None."""
    ask = Command(partition.slot, ("HGET", partition.locks, digest))
    reply, time = cluster.run_many([ask, time_command(partition.slot)], deadline_s=deadline_s)
    if isinstance(reply, Exception):
        raise reply
    if not isinstance(reply, bytes) or b"|" not in reply:
        return None
    jid, _, until_ms = reply.decode("ascii", "replace").partition("|")
    return (jid, int(until_ms)) if int(until_ms) > parse_time(time) else None


def sweep(
    cluster: Cluster, partition: Partition, cursor: int = 0, *, deadline_s: float = 10.0
) -> tuple[int, int]:
    """One bounded step over the locks whose time is over; like upkeep.sweep_memo."""
    command = script("sweep_locks").command(partition.slot, (partition.meta, partition.locks), (cursor, 200))
    try:
        reply = checked(cluster.run(command, deadline_s=deadline_s), partition)
    except Uninitialised:
        return 0, 0
    return int(reply[1]), int(reply[2])

"""Schedule: what is due goes from later into ready. For the scheduler; two of them do no harm. And what
somebody does not want to wait for goes at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ganger.calls import checked, fresh
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.keys import Partition
from ganger.scripts import script

MAX_PROMOTED = 100
"""Per call, to bound how long the node is busy with it."""


@dataclass(frozen=True, slots=True)
class Promoted:
    """`count` jobs became ready; the next one is due in `next_due_in_ms` (0 = more are due now; None =
    none)."""

    count: int
    next_due_in_ms: int | None
    next_due_at_ms: int | None
    """By the node's clock."""


def promote_command(partition: Partition, limit: int = MAX_PROMOTED) -> Command:
    """For run_many."""
    keys = (partition.meta, partition.later, *partition.jobs, *partition.ready)
    return script("promote").command(partition.slot, keys, (partition.wake, *fresh(), limit))


def parse_promote(reply: Any, partition: Partition) -> Promoted:
    """A partition that was never opened has nothing due."""
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return Promoted(0, None, None)
    count, now_ms, next_due_ms = (int(word) for word in reply[1:4])
    if next_due_ms < 0:
        return Promoted(count, None, None)
    return Promoted(count, max(next_due_ms - now_ms, 0), next_due_ms)


def promote(
    cluster: Cluster, partition: Partition, limit: int = MAX_PROMOTED, *, deadline_s: float = 10.0
) -> Promoted:
    """One promotion in a trip of its own."""
    return parse_promote(cluster.run(promote_command(partition, limit), deadline_s=deadline_s), partition)


def hasten_command(partition: Partition, jids: Sequence[str], due_ms: int | None = None) -> Command:
    keys = (partition.meta, partition.later, *partition.jobs, *partition.ready)
    due: int | str = "" if due_ms is None else due_ms
    return script("hasten").command(partition.slot, keys, (partition.wake, *fresh(), due, *jids))


def hasten(
    cluster: Cluster,
    partition: Partition,
    jids: Sequence[str],
    *,
    due_ms: int | None = None,
    deadline_s: float = 10.0,
) -> int:
    """later -> ready now, whatever the due times; how many were there. At most 100 at a time. With `due_ms`
    only those that are due then: a job that has failed anew since it was seen waits on."""
    command = hasten_command(partition, jids[:MAX_PROMOTED], due_ms)
    try:
        return int(checked(cluster.run(command, deadline_s=deadline_s), partition)[1])
    except Uninitialised:
        return 0

"""Cancel: a job that is not wanted any more, wherever it is. Found first (find.py), then this one script.

A job that nobody runs ends at once. One in somebody's hands is marked, by its entry's id and not by its jid,
so that the mark can't reach a later life of the job; its host ends the run, and whatever else would move the
entry (retry, bury, discard, release, recover) ends it in place of that. A job that succeeds first has
succeeded. Repeating a cancel does no harm.
"""

from enum import StrEnum

from ganger.calls import checked, fresh
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.keys import Partition
from ganger.scripts import script


class Cancel(StrEnum):
    CANCELLED = "cancelled"
    """It has ended."""
    ASKED = "asked"
    """Its holder will end it."""
    MOVED = "moved"
    """It is not where it was found: look again."""


def command(partition: Partition, jid: str, *, stream: int | None = None, id: bytes | None = None) -> Command:
    """One try, which may be repeated; see cancel."""
    where = partition.parked if stream is None else partition.streams[stream]
    keys = (partition.meta, partition.memo, *partition.ends, where, partition.lanes, partition.later)
    args = (partition.wake, *fresh(), stream or 0, id or b"", jid)
    return script("cancel").command(partition.slot, (*keys, partition.jobs_bucket(jid)), args)


def cancel(
    cluster: Cluster,
    partition: Partition,
    jid: str,
    *,
    stream: int | None = None,
    id: bytes | None = None,
    deadline_s: float = 10.0,
) -> Cancel:
    """Cancel a job of later, or the entry that was found: `id` in `stream`, or with no stream among the
    parked ones."""
    asking = command(partition, jid, stream=stream, id=id)
    try:
        return Cancel(checked(cluster.run(asking, deadline_s=deadline_s), partition)[0].decode())
    except Uninitialised:
        return Cancel.MOVED


def is_asked(cluster: Cluster, partition: Partition, id: bytes, *, deadline_s: float = 10.0) -> bool:
    """Whether the holder of this entry has been asked to end it."""
    asking = Command(partition.slot, ("HEXISTS", partition.memo, b"x:" + id))
    return bool(cluster.run(asking, deadline_s=deadline_s))

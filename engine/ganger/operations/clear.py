"""Clear: jobs that wait are removed unrun, and counted as cancelled. A chunk of a partition a call.

Each of them ends as any cancelled job does: its lock is freed and its batch is told (lua/lib/ending.lua).
"""

from typing import Any

from ganger.calls import checked, fresh
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.keys import Partition
from ganger.scripts import script

CHUNK = 150
"""Jobs a call, to bound how long the node is busy with it."""


def mark_command(partition: Partition) -> Command:
    """The newest entry id that the partition has given out; for run_many."""
    return Command(partition.slot, ("HMGET", partition.meta, "ms", "seq"))


def parse_mark(reply: Any) -> bytes:
    """What waits with an id up to this was there at that moment. Raises GangerError, the transport's."""
    if isinstance(reply, Exception):
        raise reply
    return b"%s-%s" % (reply[0] or b"0", reply[1] or b"0")


def waiting_command(partition: Partition, mark: bytes, limit: int = CHUNK) -> Command:
    """Of the jobs in returned, ready and parked (and so in lanes), those up to the mark; for run_many."""
    keys = (partition.meta, *partition.ends, partition.lanes, *partition.streams, partition.parked)
    return script("clear").command(partition.slot, keys, (*fresh(), mark, limit))


def later_command(partition: Partition, limit: int = CHUNK) -> Command:
    """Scheduled and retrying jobs, soonest first; for run_many."""
    keys = (partition.meta, *partition.ends, partition.later, *partition.jobs)
    return script("clear_later").command(partition.slot, keys, (*fresh(), limit))


def parse(reply: Any, partition: Partition) -> tuple[int, bool]:
    """(how many were removed, whether there may be more)."""
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return 0, False
    return int(reply[1]), bool(reply[2])

"""How operations call the scripts of a partition: open it on first use, check the word that comes back.

A queue's structures are made by the script open_partition when the first call finds them missing; that is the
only reason for which a call is made twice here (the transport repeats what was lost on the way). The random
parts of entry ids are drawn here, once per call, from a generator that no application seeds and no fork
shares.
"""

import os
import random
from collections.abc import Sequence
from typing import Any

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import OutcomeUnknown, ScriptFailed, Uninitialised
from ganger.keys import GROUP, Partition
from ganger.scripts import script

_rng = random.Random()
os.register_at_fork(after_in_child=_rng.seed)


def fresh() -> tuple[int, int]:
    """(nonce of 48 bits, step of 1 to 2^31) for the entry ids of one script call; see lua/lib/next_id.lua."""
    return _rng.getrandbits(48), _rng.getrandbits(31) + 1


def call(
    cluster: Cluster, partition: Partition, command: Command, *, deadline_s: float = 10.0, replicas: int = 0
) -> list[Any]:
    """The reply to a partition's script, whose structures are made first where they are missing."""
    reply = cluster.run(command, deadline_s=deadline_s, replicas=replicas)
    if reply[0] == b"uninitialised":
        open_partition(cluster, partition, deadline_s=deadline_s)
        reply = cluster.run(command, deadline_s=deadline_s, replicas=replicas)
    return checked(reply, partition)


def checked(reply: Any, partition: Partition) -> list[Any]:
    """`reply` as a list whose first element is its word; an element of run_many that is an error is raised.

    Raises Uninitialised when the partition has no structures yet."""
    if isinstance(reply, Exception):
        raise reply
    if not isinstance(reply, list) or not reply:
        raise ScriptFailed(
            f"A script of queue {partition.queue} answered {reply!r}, which is no reply of ours."
        )
    if reply[0] == b"uninitialised":
        raise Uninitialised(
            f"Partition {partition.index} of queue {partition.queue} has not been opened yet."
        )
    return reply


def unremembered(jids: Sequence[str]) -> OutcomeUnknown:
    """Of a push that a partition calls stale: it has forgotten what its producer did by then."""
    return OutcomeUnknown(
        f"Job {jids[0]} was made so long before its producer's latest that nobody knows"
        " whether it was pushed; look for it before you push it again under a new id.",
        jids=jids,
    )


def time_command(slot: int) -> Command:
    """The clock of the node that has this slot; for run_many."""
    return Command(slot, ("TIME",))


def parse_time(reply: Any) -> int:
    """It, in ms since 1970. Raises what the transport met."""
    if isinstance(reply, Exception):
        raise reply
    return int(reply[0]) * 1000 + int(reply[1]) // 1000


def open_partition(cluster: Cluster, partition: Partition, *, deadline_s: float = 10.0) -> None:
    """Make the structures of a partition; harmless when they are there."""
    cluster.run(open_command(partition), deadline_s=deadline_s)


def open_command(partition: Partition) -> Command:
    return script("open_partition").command(partition.slot, structures(partition), (GROUP,))


def structures_command(partition: Partition) -> Command:
    """How many of a partition's structures there are, for run_many; see is_partly_open."""
    return Command(partition.slot, ("EXISTS", *structures(partition)))


def is_partly_open(reply: Any, partition: Partition) -> bool:
    """Whether it was opened, but by a version that knew fewer structures."""
    return 0 < int(reply) < len(structures(partition))


def structures(partition: Partition) -> tuple[bytes, ...]:
    """All keys of a partition that open_partition makes, in its order."""
    hashes = (partition.locks, partition.tracks, partition.outbox, partition.crons)
    sets = (partition.later, partition.dead, partition.lanes)
    keys = (partition.meta, partition.memo, *sets, *hashes, *partition.jobs)
    return (*keys, *partition.streams, partition.log, partition.parked)

"""Upkeep: old memo fields and old dead letters go. For the scheduler, each minute per partition."""

from ganger.calls import checked
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.keys import Partition
from ganger.lifecycle import (
    DEAD_MAX_AGE_MS,
    DEAD_MAX_COUNT,
    MEMO_MAX_AGE_MS,
    NOTE_MAX_AGE_MS,
    RUN_MAX_AGE_MS,
    dead_share,
)
from ganger.scripts import script


def sweep_memo(
    cluster: Cluster, partition: Partition, cursor: int = 0, *, deadline_s: float = 10.0
) -> tuple[int, int]:
    """One bounded step; call it with the cursor answered until that is 0. Answers (next cursor, removed)."""
    command = script("sweep_memo").command(
        partition.slot,
        (partition.meta, partition.memo),
        (cursor, 200, MEMO_MAX_AGE_MS, NOTE_MAX_AGE_MS, RUN_MAX_AGE_MS),
    )
    try:
        reply = checked(cluster.run(command, deadline_s=deadline_s), partition)
    except Uninitialised:
        return 0, 0
    return int(reply[1]), int(reply[2])


def trim_command(partition: Partition, max_count: int, max_age_ms: int) -> Command:
    keys = (partition.meta, partition.tracks, partition.dead, *partition.jobs)
    bounds = (dead_share(max_count, partition.count), max_age_ms)
    return script("dead_trim").command(partition.slot, keys, bounds)


def trim_dead(
    cluster: Cluster,
    partition: Partition,
    max_count: int = DEAD_MAX_COUNT,
    max_age_ms: int = DEAD_MAX_AGE_MS,
    *,
    deadline_s: float = 10.0,
) -> int:
    """Let the queue's dead letters be bounded so from now on; how many went, 100 at most: call it until none
    does."""
    command = trim_command(partition, max_count, max_age_ms)
    try:
        return int(checked(cluster.run(command, deadline_s=deadline_s), partition)[1])
    except Uninitialised:
        return 0

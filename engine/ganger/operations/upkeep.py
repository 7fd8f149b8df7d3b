"""Upkeep: old memo fields go. For the scheduler, a few times an hour per partition."""

from ganger.calls import checked
from ganger.cluster import Cluster
from ganger.errors import Uninitialised
from ganger.keys import Partition
from ganger.lifecycle import MEMO_MAX_AGE_MS, NOTE_MAX_AGE_MS, RUN_MAX_AGE_MS
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

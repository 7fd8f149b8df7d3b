"""Dead letters of a partition: send back, delete."""

from collections.abc import Sequence

from ganger.calls import checked, fresh
from ganger.cluster import Cluster
from ganger.errors import Uninitialised
from ganger.job import State, encode_state
from ganger.keys import Partition
from ganger.scripts import script

MAX_RETRIED = 100
"""Per call, to bound how long the node is busy with it."""


def retry(
    cluster: Cluster, partition: Partition, letters: Sequence[tuple[str, State]], *, deadline_s: float = 10.0
) -> int:
    """dead -> ready: each jid with the state it has now; attempts and crashes count from nothing. Answers how
    many were still there."""
    keys = (partition.meta, partition.dead, *partition.jobs, *partition.ready)
    count = 0
    while letters:
        words: list[str | bytes] = []
        for jid, state in letters[:MAX_RETRIED]:
            words += [jid, encode_state(state.revive())]
        command = script("dead_retry").command(partition.slot, keys, (partition.wake, *fresh(), *words))
        try:
            reply = checked(cluster.run(command, deadline_s=deadline_s), partition)
        except Uninitialised:
            break
        count += int(reply[1])
        letters = letters[int(reply[2]) :]
    return count


def delete(cluster: Cluster, partition: Partition, jids: Sequence[str], *, deadline_s: float = 10.0) -> int:
    """Remove for ever; answers how many were there. At most 1,000 at a time."""
    if not jids:
        return 0
    keys = (partition.meta, partition.tracks, partition.dead, *partition.jobs)
    command = script("dead_delete").command(partition.slot, keys, jids[:1000])
    try:
        return int(checked(cluster.run(command, deadline_s=deadline_s), partition)[1])
    except Uninitialised:
        return 0

"""Dead letters of a partition: send back, delete."""

from collections.abc import Sequence
from typing import NamedTuple

from ganger.calls import checked, fresh
from ganger.cluster import Cluster
from ganger.errors import Uninitialised
from ganger.job import State, encode_state
from ganger.keys import Partition
from ganger.scripts import script

MAX_RETRIED = 100
"""Per call, to bound how long the node is busy with it."""


class Letter(NamedTuple):
    """A dead letter as it was seen: its state, and when it was buried (None: whenever that was)."""

    jid: str
    state: State
    buried_ms: int | None = None


def retry(
    cluster: Cluster, partition: Partition, letters: Sequence[Letter], *, deadline_s: float = 10.0
) -> int:
    """dead -> ready; attempts and crashes count from nothing. Answers how many were still there: a job that
    was sent back and has died again is another letter."""
    keys = (partition.meta, partition.dead, *partition.jobs, *partition.ready)
    count = 0
    while letters:
        words: list[str | bytes | int] = []
        for jid, state, buried_ms in letters[:MAX_RETRIED]:
            words += [jid, encode_state(state.revive()), "" if buried_ms is None else buried_ms]
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

"""Dead letters of a partition: list, send back, delete."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ganger.calls import checked, fresh
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.job import Record, State, encode_state
from ganger.keys import Partition
from ganger.scripts import script


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that gave up. `at_ms` = when it was buried, by its node's clock."""

    partition: Partition
    jid: str
    at_ms: int
    record: Record


def list_command(partition: Partition, limit: int = 100, offset: int = 0) -> Command:
    """Newest first; for run_many."""
    keys = (partition.meta, partition.dead, *partition.jobs)
    return script("dead_list").command(partition.slot, keys, (offset, limit))


def parse_list(reply: Any, partition: Partition) -> list[DeadLetter]:
    """Records that can't be read are shown with type `garbled`."""
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return []
    rows = zip(reply[1::3], reply[2::3], reply[3::3], strict=True)
    return [
        DeadLetter(partition, jid.decode("utf-8", "replace"), int(at_ms), Record.read(data))
        for jid, at_ms, data in rows
    ]


def retry(
    cluster: Cluster, partition: Partition, letters: Sequence[tuple[str, State]], *, deadline_s: float = 10.0
) -> int:
    """dead -> ready: each jid with the state it has now; attempts and crashes count from nothing. Answers how
    many were still there. At most 100 at a time."""
    if not letters:
        return 0
    words: list[str | bytes] = []
    for jid, state in letters[:100]:
        words += [jid, encode_state(state.revive())]
    keys = (partition.meta, partition.dead, *partition.jobs, *partition.ready)
    command = script("dead_retry").command(partition.slot, keys, (partition.wake, *fresh(), *words))
    return _count(cluster, command, partition, deadline_s)


def delete(cluster: Cluster, partition: Partition, jids: Sequence[str], *, deadline_s: float = 10.0) -> int:
    """Remove for ever; answers how many were there. At most 1,000 at a time."""
    if not jids:
        return 0
    keys = (partition.meta, partition.dead, *partition.jobs)
    command = script("dead_delete").command(partition.slot, keys, jids[:1000])
    return _count(cluster, command, partition, deadline_s)


def _count(cluster: Cluster, command: Command, partition: Partition, deadline_s: float) -> int:
    try:
        return int(checked(cluster.run(command, deadline_s=deadline_s), partition)[1])
    except Uninitialised:
        return 0

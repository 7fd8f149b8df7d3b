"""Settle: entries whose story is over leave their stream and are counted.

An id is removed wherever it stands: also when a failover lost the claim and it is waiting again, for the work
is done. Successes ride with the next claim (`command` and `parse` for run_many); a repeat finds nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ganger.calls import checked, fresh
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.keys import Partition
from ganger.scripts import script

Kind = Literal["succeeded", "exhausted", "expired", "cancelled", "skipped"]
"""Counter that moves by the number of entries really removed; `exhausted` moves `failed` as well."""


def command(partition: Partition, kind: Kind, ids_by_stream: Mapping[int, Sequence[bytes]]) -> Command:
    """Entries by stream index (0 = returned, 1..9 = ready)."""
    words: list[int | bytes] = []
    for stream, ids in ids_by_stream.items():
        words += [stream, len(ids), *ids]
    keys = (partition.meta, *partition.ends, *(partition.streams[stream] for stream in ids_by_stream))
    return script("settle").command(partition.slot, keys, (*fresh(), kind, *words))


def parse(reply: Any, partition: Partition) -> int:
    """How many entries were there to be removed; the rest had been settled, moved or recovered by others."""
    try:
        return int(checked(reply, partition)[1])
    except Uninitialised:
        return 0


def settle(
    cluster: Cluster,
    partition: Partition,
    kind: Kind,
    ids_by_stream: Mapping[int, Sequence[bytes]],
    *,
    deadline_s: float = 10.0,
) -> int:
    """One settle in a trip of its own; see parse."""
    return parse(cluster.run(command(partition, kind, ids_by_stream), deadline_s=deadline_s), partition)

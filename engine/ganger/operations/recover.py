"""Recover: what nobody holds any more comes back. For the scheduler (expired leases) and late verdicts.

`leases` shows what has been idle; it proves nothing, for idle times are some node's wall clock. The judge
must have seen the same lease (Lease.same_as) over a whole lease on its own monotonic clock, on the same
primary; `recover` then checks entry, owner and delivery time once more inside the script.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ganger.calls import call, checked, fresh
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.job import Entry, State, encode_state
from ganger.keys import Partition
from ganger.lifecycle import DEAD_MAX_AGE_MS, DEAD_MAX_COUNT, dead_share
from ganger.scripts import script

MAX_LEASES = 1000
CLOCK_GRAIN_MS = 2
"""Servers before 7.2 read the clock anew for each command of a script: the same delivery may show 1 ms
apart."""


@dataclass(frozen=True, slots=True)
class Lease:
    """An entry in somebody's hands. A renewal changes `delivered_ms`."""

    partition: Partition
    stream: int
    id: bytes
    consumer: str
    delivered_ms: int
    """Wall clock of the node that wrote it."""

    def same_as(self, other: "Lease") -> bool:
        """Whether this is that delivery, neither renewed nor claimed anew in between."""
        return (
            (self.partition, self.stream, self.id, self.consumer)
            == (other.partition, other.stream, other.id, other.consumer)
        ) and abs(self.delivered_ms - other.delivered_ms) <= CLOCK_GRAIN_MS


@dataclass(frozen=True, slots=True)
class Leases:
    """What `leases` saw, at `now_ms` of the node's clock."""

    now_ms: int
    leases: list[Lease]


def leases_command(partition: Partition, min_idle_ms: int) -> Command:
    """Read-only: leases that were not renewed for `min_idle_ms`, at most MAX_LEASES; for run_many."""
    keys = (partition.meta, *partition.streams)
    return script("leases").command(partition.slot, keys, (min_idle_ms, MAX_LEASES))


def parse_leases(reply: Any, partition: Partition) -> Leases:
    """A partition that was never opened has none."""
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return Leases(0, [])
    rows = zip(reply[2::4], reply[3::4], reply[4::4], reply[5::4], strict=True)
    found = [
        Lease(partition, stream, id, owner.decode("ascii", "replace"), int(at))
        for stream, id, owner, at in rows
    ]
    return Leases(int(reply[1]), found)


def leases(cluster: Cluster, partition: Partition, min_idle_ms: int, *, deadline_s: float = 10.0) -> Leases:
    """One look in a trip of its own."""
    reply = cluster.run(leases_command(partition, min_idle_ms), deadline_s=deadline_s)
    return parse_leases(reply, partition)


def restamp(cluster: Cluster, partition: Partition, *, deadline_s: float = 10.0) -> int:
    """Leases of the future, from before the node's clock was set back, begin now: `leases` would not show
    them until it has caught up. How many looked like it, also such as were renewed at this very moment."""
    keys = (partition.meta, *partition.streams)
    command = script("restamp").command(partition.slot, keys, (MAX_LEASES,))
    try:
        return int(checked(cluster.run(command, deadline_s=deadline_s), partition)[1])
    except Uninitialised:
        return 0


def recover(
    cluster: Cluster,
    lease: Lease,
    entry: Entry,
    state: State,
    *,
    bury: bool = False,
    deadline_s: float = 10.0,
) -> bool:
    """working -> returned (or dead, with `bury`), counted as lost, if the lease is still that very delivery.

    `entry` is what entries.read found under the lease, `state` what retry.decide made of it (Recover or
    Bury).
    False: somebody renewed, moved, settled or recovered it first, or had cancelled it: then it has ended."""
    partition = lease.partition
    stream = partition.streams[lease.stream]
    ends = (partition.memo, *partition.ends)
    keys = (partition.meta, *ends, stream, partition.returned, partition.dead, *partition.jobs)
    guard = (lease.consumer, lease.stream, lease.id, lease.delivered_ms, CLOCK_GRAIN_MS)
    target = ("dead" if bury else "returned", entry.jid, entry.type, encode_state(state))
    bounds = (dead_share(DEAD_MAX_COUNT, partition.count), DEAD_MAX_AGE_MS)
    args = (partition.wake, *fresh(), *guard, *target, *bounds)
    command = script("recover").command(partition.slot, keys, args)
    try:
        reply = checked(cluster.run(command, deadline_s=deadline_s), partition)
    except Uninitialised:
        return False
    return bool(reply[0] == b"moved")


def note_crash(
    cluster: Cluster, partition: Partition, jid: str, death_id: str, *, deadline_s: float = 10.0
) -> None:
    """A verdict came after the lease had been judged lost: remember the crash for when the job fails again
    (failing.fail counts it then). Idempotent by `death_id`. A job that never fails again is not bothered."""
    command = script("note_crash").command(partition.slot, (partition.meta, partition.memo), (jid, death_id))
    call(cluster, partition, command, deadline_s=deadline_s)


def drop_consumers(
    cluster: Cluster, partition: Partition, min_idle_ms: int = 3_600_000, *, deadline_s: float = 10.0
) -> list[str]:
    """Delete consumers that have nothing pending and were idle that long; answers their names, once per
    stream."""
    keys = (partition.meta, *partition.streams)
    command = script("drop_consumers").command(partition.slot, keys, (min_idle_ms,))
    try:
        reply = checked(cluster.run(command, deadline_s=deadline_s), partition)
    except Uninitialised:
        return []
    return _names(reply[1:])


def _names(words: Sequence[bytes]) -> list[str]:
    return [word.decode("ascii", "replace") for word in words]

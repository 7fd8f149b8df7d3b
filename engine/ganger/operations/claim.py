"""Claim: jobs from ready into a worker's hands, and the lease on them.

The worker claims (`command` and `parse`, so that a claim and a settle travel in one run_many); the
coordinator renews what live pages hold and closes the claim of a dead worker.

A claim may run although its reply is lost. It is repeated with the same op and then answers the same entries.
A worker that gives up on an op (OutcomeUnknown) must `close` it before it goes on, in the same partition, or
what the claim took stays nobody's until the lease ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from ganger.calls import call, checked, fresh
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import BadName, Uninitialised
from ganger.jid import LENGTH
from ganger.job import BLANK, Entry, Garbled, read_entry
from ganger.keys import Partition, check_type
from ganger.scripts import script

Ref = tuple[int, bytes]
"""An entry within its partition: (stream index, id)."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim brought. `more`: at least one more job waits in this partition."""

    entries: list[Entry]
    more: bool
    garbled: list[Garbled]
    refused: bool = False
    """The op was closed or is older than the worker's last: nothing was taken by this call."""
    unsorted: int = 0
    """Jobs that wait there for their lane to be worked out (lanes.py), this call's among them."""


@lru_cache(maxsize=1024)
def _type_of(raw: bytes) -> str:
    """Raises BadName, ValueError. What others wrote into a stream may be no name of a type."""
    return check_type(raw.decode())


_pack = msgspec.msgpack.Encoder().encode


def pack_costs(costs: Mapping[str, int]) -> bytes:
    """Expected run time per job type in us, as the claim script reads it; pack once, use for many claims."""
    return _pack(dict(costs))


def command(
    partition: Partition,
    consumer: str,
    worker: str,
    op: int,
    budget_us: int,
    cap: int,
    cap_bytes: int,
    costs: bytes | Mapping[str, int],
    ahead: int = 1,
    *,
    marked: str = "",
) -> Command:
    """Take jobs, highest priority first, until their expected run time reaches `budget_us`, their number
    `cap` or their bodies `cap_bytes`. A type that `costs` does not name uses up the whole budget.
    Read-ahead may overshoot budget and bytes (never the cap), at most by as many jobs as were taken
    cheaply before.

    `ahead`: how many the first look may take at once; then it doubles. More than 1 saves the node work
    where the last claim found cheap jobs only, and is by how much an expensive type may overshoot at the
    start. `marked`: only where the partition has been told each of these words (lanes.Mark), with spaces
    between.
    `consumer`: incarnation of the master. `worker`: incarnation of the worker (hex). `op`: counts
    up per worker.
    """
    packed = costs if isinstance(costs, bytes) else pack_costs(costs)
    keys = (partition.meta, partition.memo, *partition.ends, partition.parked, partition.lanes)
    args = (
        partition.wake,
        *fresh(),
        consumer,
        worker,
        op,
        budget_us,
        cap,
        cap_bytes,
        packed,
        ahead,
        marked,
    )
    return script("claim").command(partition.slot, (*keys, *partition.streams), args)


def parse(reply: Any, partition: Partition) -> Claimed:
    """The reply to `command` (or the element of run_many, which may be an error: raised). A partition
    that was never opened holds nothing, so that is what it answers."""
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return Claimed([], False, [])
    if reply[0] == b"refused":
        return Claimed([], False, [], refused=True)
    entries: list[Entry] = []
    garbled: list[Garbled] = []
    unsorted = reply.pop() if len(reply) % 2 else 0
    for stream, batch in zip(reply[2::2], reply[3::2], strict=True):
        for id, fields in batch:
            try:
                # The layout of a fresh job, written by our own push: by far the most frequent.
                name_j, jid, name_t, type, name_b, body = fields
                if name_j != b"j" or name_t != b"t" or name_b != b"b" or len(jid) != LENGTH:
                    raise ValueError
                kind = _type_of(type)
                entries.append(Entry(partition, stream, id, jid.decode(), kind, BLANK, body, stream))
            except (ValueError, TypeError, BadName):
                found = read_entry(partition, stream, id, fields)
                (entries if isinstance(found, Entry) else garbled).append(found)  # type: ignore[arg-type]
    return Claimed(entries, bool(reply[1]), garbled, unsorted=unsorted)


def claim(
    cluster: Cluster,
    partition: Partition,
    consumer: str,
    worker: str,
    op: int,
    *,
    budget_us: int,
    cap: int = 64,
    cap_bytes: int = 1 << 20,
    costs: bytes | Mapping[str, int] = b"\x80",
    deadline_s: float = 10.0,
) -> Claimed:
    """One claim in a trip of its own."""
    claiming = command(partition, consumer, worker, op, budget_us, cap, cap_bytes, costs)
    return parse(cluster.run(claiming, deadline_s=deadline_s), partition)


def close(
    cluster: Cluster, partition: Partition, consumer: str, worker: str, op: int, *, deadline_s: float = 10.0
) -> list[Ref]:
    """Make sure that claim `op` of this worker never runs from now on, and answer what it took, as far as
    it is still leased to the consumer. Empty when it never ran. Idempotent."""
    keys = (partition.meta, partition.memo, *partition.streams)
    closing = script("close_claim").command(partition.slot, keys, (consumer, worker, op))
    reply = call(cluster, partition, closing, deadline_s=deadline_s)
    return list(zip(reply[1::2], reply[2::2], strict=True))


def renew_command(
    partition: Partition, consumer: str, ids_by_stream: Mapping[int, Sequence[bytes]]
) -> Command:
    """Start the leases of these entries anew where they are the consumer's; for run_many."""
    keys = (partition.meta, partition.memo, *partition.streams)
    return script("renew").command(partition.slot, keys, (consumer, *_by_stream(ids_by_stream)))


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a renewal found. `lost`: entries that are not the consumer's (any more), whose jobs must not be
    believed to be its own. `cancelled`: those that are, and whose jobs are to be ended."""

    lost: list[Ref]
    cancelled: list[Ref]


def parse_renew(reply: Any, partition: Partition) -> Renewed:
    """The reply to `renew_command`."""
    lost, cancelled = (
        list(zip(part[::2], part[1::2], strict=True)) for part in checked(reply, partition)[1:]
    )
    return Renewed(lost, cancelled)


def _by_stream(ids_by_stream: Mapping[int, Sequence[bytes]]) -> list[int | bytes]:
    words: list[int | bytes] = []
    for stream, ids in ids_by_stream.items():
        words += [stream, len(ids), *ids]
    return words

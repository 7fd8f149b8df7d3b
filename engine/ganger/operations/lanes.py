"""Lanes: jobs of a limited type wait aside, each in the lane of its type and key, and are claimed from there.

Which types are limited is known to hosts and not to the partition: their coordinators say so (`aside`), again
and again, and the claim that meets such a job puts it aside. Where a limit is by key, it lies unsorted until
a worker has worked the key out (`unsorted`, `sort`), for only a worker can read arguments. Coordinators ask
which lanes have jobs (`look`); a worker that holds a lane's permits claims there (`claim`). When nobody says
a type's word any more, the leading scheduler takes it back, and its jobs wait as before (`unlane`).

Crash points. Whoever dies between two of these scripts leaves each job in one place: unsorted ones are told
to the next claim and to `peek`, a lane with jobs to each look, a word that is over to the scheduler, which
goes on paying as long as the partition says that it owes.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ganger.calls import checked, fresh
from ganger.command import Command, Word
from ganger.errors import Uninitialised
from ganger.keys import Partition
from ganger.scripts import script

UNSORTED = "0" * 16
"""The lane of jobs whose key nobody has worked out yet."""
EVERY_TYPE = "*"
MARK_MS = 60_000
"""So long a type's word counts unless a coordinator says it again, which it does every few seconds."""
MAX_UNLANED = 200
"""Per call, to bound how long the node is busy with it."""
_pack = msgspec.msgpack.Encoder().encode
_canonical = msgspec.json.Encoder(order="deterministic").encode


def lane_id(type: str, key: str) -> str:
    """16 hex digits, as lua/lib/lane.lua makes them."""
    return hashlib.sha1(f"{type} {key}".encode(), usedforsecurity=False).hexdigest()[:16]


def key_digest(path: str, value: object) -> str:
    """The key for a value of a job's arguments: the tag of its path and 12 hex digits, the same for what is
    the same in JSON."""
    return key_tag(path) + hashlib.sha1(_canonical(value), usedforsecurity=False).hexdigest()[:12]


def no_key(path: str) -> str:
    """Of a job that has no such argument: all of these are one lane."""
    return key_tag(path) + "0" * 12


def key_tag(path: str) -> str:
    """What the keys of one argument begin with: 4 hex digits. So lanes made by another show."""
    return hashlib.sha1(path.encode(), usedforsecurity=False).hexdigest()[:4]


# ---- which types wait in lanes ---------------------------------------------------------------------------


class Mark(NamedTuple):
    """A type whose jobs go aside, or EVERY_TYPE for those that no other mark names. `keyed`: its lanes are by
    key, that of the argument `path`."""

    type: str
    keyed: bool
    path: str = ""

    @property
    def word(self) -> str:
        """As the partition keeps it."""
        tag = key_tag(self.path) if self.path else ""
        return f"{tag}!{self.type}" if self.keyed else self.type


def aside_command(partition: Partition, marks: Sequence[Mark], ttl_ms: int) -> Command:
    """These types wait in lanes for so long, by the node's clock. Others that were named before stay. With
    `ttl_ms` 0 the time of these is over now, unless somebody else names them again."""
    keys = (partition.meta, partition.lanes, partition.laned)
    return script("aside").command(partition.slot, keys, (ttl_ms, *(mark.word for mark in marks)))


def parse_aside(reply: Any, partition: Partition) -> bool:
    """That it stands. Raises Uninitialised for a partition that must be opened first, even if an older
    version has opened it; and what the transport met."""
    return bool(checked(reply, partition)[0] == b"aside")


class Unlaned(NamedTuple):
    """`moved` jobs wait again as before; go on `after`, with this `debt`, or "" when nothing is owed (any
    more)."""

    moved: int
    after: str
    debt: str


def marked_command(partition: Partition) -> Command:
    """For run_many and parse_marked."""
    return Command(partition.slot, ("HMGET", partition.meta, "aside", "unlane"))


def parse_marked(reply: Any) -> bool:
    """Whether there is anything for unlane to look at: a word, or a debt. Raises GangerError."""
    if isinstance(reply, Exception):
        raise reply
    return any(reply)


def unlane_command(
    partition: Partition, after: str = "", debt: str = "", limit: int = MAX_UNLANED
) -> Command:
    """Take back the words whose time is over, and move the jobs of those types to returned, a chunk a call.
    Start with nothing and go on with what the last one answered until its `after` is ""."""
    keys = (partition.meta, partition.parked, partition.lanes, partition.returned)
    words = (partition.wake, *fresh(), after, limit, debt, MARK_MS)
    return script("unlane").command(partition.slot, keys, words)


def parse_unlane(reply: Any, partition: Partition) -> Unlaned:
    """A partition that was never opened owes nothing."""
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return Unlaned(0, "", "")
    return Unlaned(int(reply[1]), reply[2].decode(), reply[3].decode())


# ---- what lies in them -----------------------------------------------------------------------------------


class Lane(NamedTuple):
    """One in which jobs wait; of the first its priority, and since when (ms of the node's clock) it lies
    there."""

    id: str
    type: str
    key: str
    since_ms: int
    priority: int


def look_command(partition: Partition, after: str = "", limit: int = 32) -> Command:
    """The lanes behind `after`, in the order of their ids; none of a paused type."""
    keys = (partition.meta, partition.parked, partition.lanes)
    return script("look_lanes").command(partition.slot, keys, (after, limit))


def parse_look(reply: Any, partition: Partition) -> tuple[list[Lane], str]:
    """The lanes, and the id to go on after: "" at the end. A partition that was never opened has none."""
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return [], ""
    return [
        Lane(id.decode(), type.decode("utf-8", "replace"), key.decode(), int(since_ms), int(priority))
        for id, type, key, since_ms, priority in reply[2:]
    ], reply[1].decode()


def ahead_command(partition: Partition, place: str, id: bytes) -> Command:
    """How many jobs of its lane go before an entry whose field l is `place`: a number, the reply."""
    ms, _, seq = id.decode().partition("-")
    member = f"{place}{ms:0>14}-{seq:0>20}"
    return Command(partition.slot, ("ZLEXCOUNT", partition.lanes, f"({place[:16]}", f"({member}"))


class Unsorted(NamedTuple):
    """A job whose lane is to be worked out."""

    id: bytes
    jid: str
    type: str
    body: bytes


def unsorted_command(partition: Partition, limit: int = 64) -> Command:
    """Those that are to run first, at most so many or 1 MiB."""
    keys = (partition.meta, partition.parked, partition.lanes)
    return script("unsorted").command(partition.slot, keys, (limit,))


def parse_unsorted(reply: Any, partition: Partition) -> list[Unsorted]:
    """A partition that was never opened has none."""
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return []
    return [
        Unsorted(id, jid.decode("utf-8", "replace"), type.decode("utf-8", "replace"), body)
        for id, jid, type, body in reply[1:]
    ]


def sort_command(partition: Partition, keys: Iterable[tuple[bytes, str, str]]) -> Command:
    """Put unsorted jobs into their lanes: (id, the job's type, key) each. Those that somebody else has put
    there, or that are gone, stay as they are."""
    words: list[Word] = [word for entry in keys for word in entry]
    names = (partition.meta, partition.parked, partition.lanes)
    return script("sort").command(partition.slot, names, (partition.wake, *fresh(), *words))


def parse_sort(reply: Any, partition: Partition) -> int:
    """How many were put into their lanes."""
    return int(checked(reply, partition)[1])


def claim_command(
    partition: Partition,
    consumer: str,
    worker: str,
    op: int,
    lane_id: str,
    budget_us: int,
    cap: int,
    cap_bytes: int,
    costs: bytes | Mapping[str, int],
) -> Command:
    """Take jobs of one lane, the first ones, until their expected run time reaches `budget_us`, their number
    `cap` or their bodies `cap_bytes`. The reply is for claim.parse; ops count with those of claim.command,
    and claim.close closes either. `costs`: packed as claim.pack_costs does, or a table."""
    packed = costs if isinstance(costs, bytes) else _pack(dict(costs))
    keys = (partition.meta, partition.memo, *partition.ends, partition.parked, partition.lanes)
    args = (*fresh(), consumer, worker, op, lane_id, budget_us, cap, cap_bytes, packed)
    return script("claim_lane").command(partition.slot, (*keys, *partition.streams), args)

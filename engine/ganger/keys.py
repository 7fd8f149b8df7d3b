"""The key book: the only place that spells the name of a Redis key.

A key reads `<namespace>:{<tag>}:<what>`. All keys of a partition share its tag, so they live in one slot and
one script may touch them all; the control keys (catalog, hosts, leader lock, crash records) share
another. Operations take a `Partition` or a `Control` and never a string. Pure: no I/O, no clock.
"""

import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache

from ganger.errors import BadName
from ganger.slots import partition_tag, slot_of

PRIORITIES = range(1, 10)
"""9 is the most urgent."""
DEFAULT_PRIORITY = 5
JOBS_BUCKETS = 16
GROUP = b"workers"
"""The consumer group of every stream of a partition."""

_NAME = re.compile(r"[A-Za-z0-9_.:/-]+\Z")
_BID = re.compile(r"b-[0-9a-z]{21}\Z")
MAX_ONCE_KEY = 512
THROTTLE_LIFE = b"ganger:throttle:life"
"""On a server for throttles: which life of it remembers, and since when. One for all namespaces."""
_CONTROL_TAG = "control"


def check_name(kind: str, name: str, longest: int) -> str:
    """`name`, or BadName: letters, digits and _ . : / - only, at most `longest` of them, and no braces."""
    if not isinstance(name, str) or not _NAME.match(name):
        raise BadName(f"{kind} {name!r}: only letters, digits and _ . : / - are allowed, and at least one.")
    if len(name) > longest:
        raise BadName(f"{kind} {name!r} has {len(name)} characters; at most {longest} are allowed.")
    return name


def is_name(name: str) -> bool:
    """Whether a queue or a job type could be called so."""
    return 0 < len(name) <= 120 and _NAME.match(name) is not None


def check_namespace(name: str) -> str:
    """A namespace of at most 64 characters, or BadName."""
    return check_name("namespace", name, 64)


def check_limit(name: str) -> str:
    """The name of a semaphore or a rate of at most 200 characters, or BadName."""
    return check_name("limit", name, 200)


def check_queue(name: str) -> str:
    """A queue name of at most 64 characters, or BadName."""
    return check_name("queue", name, 64)


def check_type(name: str) -> str:
    """A job type of at most 120 characters, or BadName."""
    return check_name("job type", name, 120)


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of a queue: its slot and the keys in it. Two are equal when their tags are."""

    namespace: str
    queue: str
    index: int
    tag: str
    count: int = field(compare=False, repr=False)
    """Of the queue's partitions."""
    slot: int = field(compare=False)
    meta: bytes = field(compare=False, repr=False)
    memo: bytes = field(compare=False, repr=False)
    returned: bytes = field(compare=False, repr=False)
    ready: tuple[bytes, ...] = field(compare=False, repr=False)
    """Nine streams; priority p is ready[p - 1]."""
    streams: tuple[bytes, ...] = field(compare=False, repr=False)
    """(returned, *ready, laned): an entry's stream index is its priority; 0 for returned and 10 for laned,
    where each entry says its own."""
    laned: bytes = field(compare=False, repr=False)
    """The stream of what was claimed from a lane. Nothing waits in it."""
    later: bytes = field(compare=False, repr=False)
    jobs: tuple[bytes, ...] = field(compare=False, repr=False)
    dead: bytes = field(compare=False, repr=False)
    ends: tuple[bytes, bytes, bytes, bytes] = field(compare=False, repr=False)
    """(locks, tracks, outbox, log): what every script declares that may end a job."""
    locks: bytes = field(compare=False, repr=False)
    tracks: bytes = field(compare=False, repr=False)
    outbox: bytes = field(compare=False, repr=False)
    log: bytes = field(compare=False, repr=False)
    parked: bytes = field(compare=False, repr=False)
    """The stream of jobs set aside: those of paused types, and those that wait in lanes."""
    lanes: bytes = field(compare=False, repr=False)
    """Sorted set, all scores 0: where in parked the jobs of each lane lie, in their order."""
    crons: bytes = field(compare=False, repr=False)
    wake: bytes = field(compare=False, repr=False)
    """The sharded pub/sub channel of this partition."""

    def jobs_bucket(self, jid: str | bytes) -> bytes:
        """The hash that holds the body of a scheduled or dead job: 16 of them, so that none is huge.

        The bucket is the sum of the jid's last eight bytes modulo 16, which a script can work out as well.
        """
        tail = jid[-8:]
        return self.jobs[sum(tail.encode() if isinstance(tail, str) else tail) % JOBS_BUCKETS]

    def result(self, jid: str, id: bytes) -> bytes:
        """What the delivery `id` of a tracked job returned: a key that expires by itself, in this slot."""
        return b"%sresult:%s:%s" % (self.meta.removesuffix(b"meta"), jid.encode(), id)


@lru_cache(maxsize=4096)
def partitions(namespace: str, queue: str, count: int) -> tuple[Partition, ...]:
    """The partitions of a queue, by index. Raises BadName; ValueError for a count out of range."""
    check_namespace(namespace)
    check_queue(queue)
    return tuple(_partition(namespace, queue, index, count) for index in range(count))


def _partition(namespace: str, queue: str, index: int, count: int) -> Partition:
    tag = partition_tag(queue, index, count)
    stem = f"{namespace}:{{{tag}}}:".encode()
    returned, laned = stem + b"returned", stem + b"laned"
    locks, tracks, outbox, log = (stem + what for what in (b"locks", b"tracks", b"outbox", b"log"))
    ready = tuple(stem + b"ready:%d" % priority for priority in PRIORITIES)
    return Partition(
        namespace=namespace,
        queue=queue,
        index=index,
        tag=tag,
        count=count,
        slot=slot_of(tag.encode()),
        meta=stem + b"meta",
        memo=stem + b"memo",
        returned=returned,
        ready=ready,
        streams=(returned, *ready, laned),
        laned=laned,
        later=stem + b"later",
        jobs=tuple(stem + b"jobs:%d" % bucket for bucket in range(JOBS_BUCKETS)),
        dead=stem + b"dead",
        ends=(locks, tracks, outbox, log),
        locks=locks,
        tracks=tracks,
        outbox=outbox,
        log=log,
        parked=stem + b"parked",
        lanes=stem + b"lanes",
        crons=stem + b"crons",
        wake=stem + b"wake",
    )


def check_bid(name: str) -> str:
    """A batch's id, or BadName for what is none."""
    if not isinstance(name, str) or not _BID.match(name):
        raise BadName(f"{name!r} is no batch id; one begins with b- and has 23 characters.")
    return name


@dataclass(frozen=True, slots=True)
class BatchKeys:
    """The keys of one batch, in a slot of their own: its id is their tag. Raises BadName."""

    namespace: str
    bid: str
    slot: int = field(init=False, repr=False, compare=False)
    head: bytes = field(init=False, repr=False, compare=False)
    """What it is and how far: total, ended, ok, callbacks..."""
    ended: bytes = field(init=False, repr=False, compare=False)
    """A bit for each member that has ended in whatever way."""
    ok: bytes = field(init=False, repr=False, compare=False)
    """A bit for each member that has succeeded."""
    outbox: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        stem = f"{check_namespace(self.namespace)}:{{{check_bid(self.bid)}}}:".encode()
        object.__setattr__(self, "slot", slot_of(self.bid.encode()))
        for what in ("head", "ended", "ok", "outbox"):
            object.__setattr__(self, what, stem + what.encode())

    @property
    def all(self) -> tuple[bytes, bytes, bytes, bytes]:
        """What every script of a batch declares."""
        return self.head, self.ended, self.ok, self.outbox


@dataclass(frozen=True, slots=True)
class OnceMark:
    """The mark of one key of once(), in a slot of its own. The key itself shows nowhere: it may name a
    person. Raises BadName."""

    namespace: str
    key: str = field(repr=False)
    slot: int = field(init=False, repr=False, compare=False)
    mark: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        stem = check_namespace(self.namespace)
        if not isinstance(self.key, str) or not 0 < len(self.key) <= MAX_ONCE_KEY:
            raise BadName(f"the key of once() must be a text of 1 to {MAX_ONCE_KEY} characters.")
        digest = hashlib.blake2b(self.key.encode("utf-8", "replace"), digest_size=16).hexdigest()
        tag = f"once.{digest}"
        object.__setattr__(self, "slot", slot_of(tag.encode()))
        object.__setattr__(self, "mark", f"{stem}:{{{tag}}}:mark".encode())


@dataclass(frozen=True, slots=True)
class SemaphoreKeys:
    """The keys of one semaphore on each of its servers, which are no cluster. Raises BadName."""

    namespace: str
    name: str
    taken: bytes = field(init=False, repr=False, compare=False)
    """Sorted set: seat -> until when (ms of this server's clock) it is taken."""
    holders: bytes = field(init=False, repr=False, compare=False)
    """Hash: seat -> `<token>|<since ms>|<who>`."""
    revoked: bytes = field(init=False, repr=False, compare=False)
    """Sorted set: tokens that an operator took the permit from -> until when that is remembered."""
    terms: bytes = field(init=False, repr=False, compare=False)
    """The limit that it was last used with."""
    waiting: bytes = field(init=False, repr=False, compare=False)
    """Hash: who waits -> `<since ms>|<until when ms>`. Also the channel on which one of them is woken."""
    woken: bytes = field(init=False, repr=False, compare=False)
    """Sorted set: who was woken -> until when a seat is kept for it."""

    def __post_init__(self) -> None:
        stem = f"{check_namespace(self.namespace)}:semaphore:{check_limit(self.name)}:".encode()
        for what in ("taken", "holders", "revoked", "terms", "waiting", "woken"):
            object.__setattr__(self, what, stem + what.encode())

    @property
    def all(self) -> tuple[bytes, bytes, bytes, bytes]:
        """What scripts of a semaphore declare."""
        return THROTTLE_LIFE, self.taken, self.holders, self.revoked

    @property
    def turns(self) -> tuple[bytes, bytes]:
        """Who waits, for the scripts that grant and release."""
        return self.waiting, self.woken


@dataclass(frozen=True, slots=True)
class RateKeys:
    """The keys of one rate on each of its servers, which are no cluster. Raises BadName."""

    namespace: str
    name: str
    spent: bytes = field(init=False, repr=False, compare=False)
    """Of a bucket: the instant at which it is full again. Of a window: its entries, by time."""

    def __post_init__(self) -> None:
        stem = f"{check_namespace(self.namespace)}:rate:{check_limit(self.name)}:".encode()
        object.__setattr__(self, "spent", stem + b"spent")

    def all(self, kind: str) -> tuple[bytes, bytes]:
        """What a script of this kind of rate declares: two kinds share no key."""
        return THROTTLE_LIFE, self.spent + b":" + kind.encode()


@dataclass(frozen=True, slots=True)
class Control:
    """The few keys that belong to no queue, together in one slot. Raises BadName."""

    namespace: str
    slot: int = field(init=False, repr=False, compare=False)
    catalog: bytes = field(init=False, repr=False, compare=False)
    types: bytes = field(init=False, repr=False, compare=False)
    hosts: bytes = field(init=False, repr=False, compare=False)
    leader: bytes = field(init=False, repr=False, compare=False)
    crashes: bytes = field(init=False, repr=False, compare=False)
    crash_records: bytes = field(init=False, repr=False, compare=False)
    totals: bytes = field(init=False, repr=False, compare=False)
    retains: bytes = field(init=False, repr=False, compare=False)
    runs: bytes = field(init=False, repr=False, compare=False)
    paused: bytes = field(init=False, repr=False, compare=False)
    """Queues that shall be paused; each partition's meta holds what its claims obey."""
    paused_types: bytes = field(init=False, repr=False, compare=False)
    batches_live: bytes = field(init=False, repr=False, compare=False)
    """Batches that may still owe something, by when they were made."""
    batches_over: bytes = field(init=False, repr=False, compare=False)
    """Those of the last day that can't, by when that was seen."""
    crons: bytes = field(init=False, repr=False, compare=False)
    limits: bytes = field(init=False, repr=False, compare=False)
    """Limits on queues that were set at runtime."""

    def __post_init__(self) -> None:
        stem = f"{check_namespace(self.namespace)}:{{{_CONTROL_TAG}}}:".encode()
        object.__setattr__(self, "slot", slot_of(_CONTROL_TAG.encode()))
        for what in self.__dataclass_fields__:
            if what not in ("namespace", "slot"):
                object.__setattr__(self, what, stem + what.encode())

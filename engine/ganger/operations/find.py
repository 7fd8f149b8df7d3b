"""Find: entries by their id, a job by its jid. Read-only."""

from collections.abc import Sequence
from dataclasses import dataclass

from ganger import jid as jids
from ganger.calls import checked
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.job import Entry, Garbled, Record, read_entry
from ganger.keys import GROUP, Partition
from ganger.lifecycle import JobState, read_ms
from ganger.scripts import script

CLOCKS_APART_MS = 3_600_000
"""A producer's clock is hardly ever ahead of a node's by more."""
SCAN_COUNT = 1000
SCAN_LIMIT = 200
"""Chunks of a stream that a search looks through before it gives up: 200,000 entries."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a job is. `due_at_ms` for later, `dead_at_ms` for dead letters; `consumer` while it is worked
    on; `ended_at_ms` and `how` in the log; `id` in its stream, or with no stream among the parked ones.
    `place` of what is ready and waits there, in a lane (lanes.py)."""

    partition: Partition
    jid: str
    state: JobState
    record: Record
    due_at_ms: int | None = None
    dead_at_ms: int | None = None
    consumer: str | None = None
    stream: int | None = None
    id: bytes | None = None
    ended_at_ms: int | None = None
    how: str | None = None
    place: str | None = None


def read(
    cluster: Cluster, partition: Partition, refs: Sequence[tuple[int, bytes]], *, deadline_s: float = 10.0
) -> list[Entry | Garbled | None]:
    """What lies under (stream, id), in that order; None where nothing is left."""
    commands = [Command(partition.slot, ("XRANGE", partition.streams[stream], id, id)) for stream, id in refs]
    found: list[Entry | Garbled | None] = []
    for (stream, id), reply in zip(refs, cluster.run_many(commands, deadline_s=deadline_s), strict=True):
        if isinstance(reply, Exception):
            raise reply
        found.append(read_entry(partition, stream, id, reply[0][1]) if reply else None)
    return found


def find(cluster: Cluster, partition: Partition, jid: str, *, deadline_s: float = 10.0) -> Found | None:
    """The job of this jid in its partition, or None: gone, or never there.

    later and dead are looked up; a stream is searched in bounded chunks, from the jid's own time on; the log
    last, so that a job that ends meanwhile is found there. And what is older, last of all: that is where a
    job lies whose producer's clock is ahead by hours."""
    commands = [
        Command(partition.slot, ("ZSCORE", partition.later, jid)),
        Command(partition.slot, ("ZSCORE", partition.dead, jid)),
        Command(partition.slot, ("HGET", partition.jobs_bucket(jid), jid)),
    ]
    replies = cluster.run_many(commands, deadline_s=deadline_s)
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    due, dead, data = replies
    if data is not None and (due is not None or dead is not None):
        record = Record.read(data)
        if dead is not None:
            return Found(partition, jid, JobState.DEAD, record, dead_at_ms=read_ms(dead))
        state = JobState.RETRYING if record.state.failures else JobState.SCHEDULED
        return Found(partition, jid, state, record, due_at_ms=read_ms(due))
    since_ms = jids.made_at_ms(jid) - CLOCKS_APART_MS
    if since_ms <= 0:  # a producer that did not know the time: nothing is older
        return _in_streams(cluster, partition, jid, "-", "+", deadline_s)
    return _in_streams(cluster, partition, jid, f"{since_ms}-0", "+", deadline_s) or _in_streams(
        cluster, partition, jid, "-", f"({since_ms}-0", deadline_s
    )


def _in_streams(
    cluster: Cluster, partition: Partition, jid: str, first: str, last: str, deadline_s: float
) -> Found | None:
    *ready, laned = enumerate(partition.streams)
    # Parked after ready, laned after parked: that is how a claim may move it meanwhile.
    for stream, key in (*ready, (None, partition.parked), laned):
        row = _search(cluster, partition, key, jid, first, last, deadline_s)
        if row is not None and stream is None:
            return _parked(partition, jid, *row)
        if row is not None and stream is not None:
            return _found(cluster, partition, stream, jid, *row, deadline_s)
    row = _search(cluster, partition, partition.log, jid, first, last, deadline_s)
    return None if row is None else _ended(partition, jid, *row)


def _search(
    cluster: Cluster, partition: Partition, key: bytes, jid: str, first: str, last: str, deadline_s: float
) -> tuple[bytes, list[bytes]] | None:
    """The entry of this jid in a part of a stream: its id and fields."""
    start: bytes | str = first
    for _ in range(SCAN_LIMIT):
        words = (jid, start, last, SCAN_COUNT)
        command = script("find_jid").command(partition.slot, (partition.meta, key), words)
        try:
            reply = checked(cluster.run(command, deadline_s=deadline_s), partition)
        except Uninitialised:
            return None
        if reply[0] == b"found":
            return reply[1], reply[2]
        if reply[0] == b"absent":
            return None
        start = b"(" + reply[1]
    return None


def _parked(partition: Partition, jid: str, id: bytes, fields: list[bytes]) -> Found | None:
    entry = read_entry(partition, 0, id, fields)
    if isinstance(entry, Garbled):
        return None
    record = Record(entry.type, entry.priority, entry.state, entry.body)
    place = dict(zip(fields[::2], fields[1::2], strict=True)).get(b"l")
    if place is None:
        return Found(partition, jid, JobState.PARKED, record, id=id)
    return Found(partition, jid, JobState.READY, record, id=id, place=place.decode())


def _found(
    cluster: Cluster,
    partition: Partition,
    stream: int,
    jid: str,
    id: bytes,
    fields: list[bytes],
    deadline_s: float,
) -> Found | None:
    entry = read_entry(partition, stream, id, fields)
    if isinstance(entry, Garbled):
        return None
    pending = Command(partition.slot, ("XPENDING", partition.streams[stream], GROUP, id, id, 1))
    owners = cluster.run(pending, deadline_s=deadline_s)
    return Found(
        partition,
        jid,
        JobState.WORKING if owners else JobState.READY,
        Record(entry.type, entry.priority, entry.state, entry.body),
        consumer=owners[0][1].decode("ascii", "replace") if owners else None,
        stream=stream,
        id=id,
    )


def _ended(partition: Partition, jid: str, id: bytes, fields: list[bytes]) -> Found | None:
    """A job of the log: it ended at the time of its entry, or at that which an undo has noted in it."""
    entry = read_entry(partition, 0, id, fields)
    if isinstance(entry, Garbled):
        return None
    named = dict(zip(fields[::2], fields[1::2], strict=True))
    return Found(
        partition,
        jid,
        JobState.DONE,
        Record(entry.type, entry.priority, entry.state, entry.body),
        ended_at_ms=read_ms(named.get(b"e") or id.partition(b"-")[0]),
        how=named.get(b"h", b"").decode("ascii", "replace"),
    )

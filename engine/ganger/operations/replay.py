"""Replay: ended jobs of a partition's log run again, waiting ones are skipped, and both can be taken back.

Each call is one chunk of one partition and answers where to go on. None needs to know what an earlier call of
its run did: entries move from structure to structure, a copy is remembered by the partition that got it, so a
call that is repeated (its reply was lost, the run was broken off) does nothing twice. `total` is counted by
the partition and is right whatever was lost. For replaying.py, which makes a run of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ganger.calls import checked, fresh
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.keys import Partition
from ganger.scripts import script

HOWS = ("succeeded", "exhausted", "expired", "skipped")
"""How a job may have ended that lies in the log."""
PARKED = 10
"""The number of the parked stream among those where jobs wait: 0 = returned, 1..9 = ready."""
CHUNK = 100
"""Jobs that one call moves at most: about a millisecond of the node's time."""
SURVEY = 500
"""Entries that one call looks through at most, about two milliseconds."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which ended jobs: those that ended at `from_ms` or after it and before `to_ms`, by their node's clock.

    `stamped`: only those that this run has skipped."""

    from_ms: int
    to_ms: int
    type: str = ""
    hows: tuple[str, ...] = HOWS
    stamped: str = ""

    def words(self, run: str, cursor: bytes, limit: int) -> tuple[bytes | str | int, ...]:
        hows = f" {' '.join(self.hows)} "
        return run, cursor, max(self.from_ms, 0), self.to_ms, self.type, hows, self.stamped, limit


@dataclass(frozen=True, slots=True)
class Count:
    """What a chunk would give: how many, from when to when, of which types."""

    count: int = 0
    first_ms: int = 0
    last_ms: int = 0
    types: dict[str, int] = field(default_factory=dict)
    cursor: bytes = b""
    """Where to go on; empty at the end."""


class Step(NamedTuple):
    """What a chunk did: `total` by this run in this partition so far. `closed`: the run is being undone."""

    total: int
    cursor: bytes
    closed: bool = False


def replay_command(
    partition: Partition, run: str, choice: Choice, cursor: bytes = b"", limit: int = CHUNK
) -> Command:
    """log -> ready, for parse_step."""
    return _replay(partition, "again", run, choice, cursor, limit)


def unskip_command(partition: Partition, run: str, cursor: bytes = b"", limit: int = CHUNK) -> Command:
    """log -> ready: what the run `run` skipped waits again, as it did. Later calls of the run are refused."""
    choice = Choice(0, 1 << 52, hows=("skipped",), stamped=run)
    return _replay(partition, "back", run, choice, cursor, limit)


def count_command(
    partition: Partition, run: str, choice: Choice, cursor: bytes = b"", limit: int = SURVEY
) -> Command:
    """What replay_command would move, for parse_count."""
    return _replay(partition, "count", run, choice, cursor, limit)


def _replay(partition: Partition, act: str, run: str, choice: Choice, cursor: bytes, limit: int) -> Command:
    keys = (partition.meta, partition.memo, partition.tracks, partition.log, *partition.ready)
    words = choice.words(run, cursor, limit)
    args = (partition.wake, *fresh(), words[0], act, *words[1:])
    return script("replay").command(partition.slot, keys, args)


def undo_command(
    partition: Partition, stream: int, run: str, target: Literal["log", "gone"], cursor: bytes = b""
) -> Command:
    """What the run brought into this stream and nobody has begun goes back to the log, or (copies) away; for
    parse_step. Later calls of the run are refused."""
    key, index = _waiting(partition, stream)
    keys = (partition.meta, partition.memo, partition.log, partition.lanes, key)
    args = (*fresh(), run, target, index, cursor, CHUNK)
    return script("replay_undo").command(partition.slot, keys, args)


def skip_command(
    partition: Partition,
    stream: int,
    run: str,
    to_ms: int,
    *,
    type: str = "",
    cursor: bytes = b"",
    limit: int = CHUNK,
    count: bool = False,
) -> Command:
    """What became ready in this stream before `to_ms` and nobody has claimed is skipped, for parse_step; or
    counted only, for parse_count."""
    key, index = _waiting(partition, stream)
    keys = (partition.meta, partition.memo, key, partition.lanes, *partition.ends)
    act = "count" if count else "skip"
    args = (*fresh(), run, act, index, cursor, to_ms, type, limit)
    return script("skip").command(partition.slot, keys, args)


def _waiting(partition: Partition, stream: int) -> tuple[bytes, int]:
    """A stream, and its priority; 0 where each entry says its own."""
    if stream == PARKED:
        return partition.parked, 0
    return partition.streams[stream], stream


def parse_step(reply: Any, partition: Partition) -> Step:
    """A partition that was never opened has nothing to move."""
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return Step(0, b"")
    if reply[0] == b"closed":
        return Step(int(reply[1]), b"", closed=True)
    return Step(int(reply[1]), reply[2])


def parse_count(reply: Any, partition: Partition) -> Count:
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return Count()
    if reply[0] == b"closed":
        return Count()
    pairs = zip(reply[5::2], reply[6::2], strict=True)
    types = {name.decode("utf-8", "replace"): int(number) for name, number in pairs}
    return Count(int(reply[1]), int(reply[3]), int(reply[4]), types, reply[2])


class Copy(NamedTuple):
    """A job of the log, to be copied: its place there, and what it is."""

    id: bytes
    type: str
    body: bytes
    priority: int


def read_command(
    partition: Partition, run: str, choice: Choice, cursor: bytes = b"", limit: int = CHUNK
) -> Command:
    """Ended jobs with their bodies, for parse_read."""
    keys = (partition.meta, partition.memo, partition.log)
    return script("log_read").command(partition.slot, keys, choice.words(run, cursor, limit))


def parse_read(reply: Any, partition: Partition) -> tuple[list[Copy], bytes]:
    """The jobs, and where to go on (empty at the end)."""
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return [], b""
    found = []
    for id, fields in reply[2]:
        named = dict(zip(fields[::2], fields[1::2], strict=True))
        found.append(Copy(id, named[b"t"].decode(), named[b"b"], int(named.get(b"p", b"5"))))
    return found, reply[1]


def copy_command(
    target: Partition, run: str, source: int, jobs: Sequence[tuple[bytes, str, str, bytes, int]] = ()
) -> Command:
    """Jobs (place in the source's log, new jid, type, body, priority) into ready of another queue, for
    parse_copy. `source`: the number of the partition they come from."""
    keys = (target.meta, target.memo, *target.ready)
    words = [word for job in jobs for word in job]
    return script("copy_in").command(target.slot, keys, (target.wake, *fresh(), run, source, *words))


def parse_copy(reply: Any, target: Partition) -> Step:
    """Its cursor is the place in the log up to which all are in. Raises Uninitialised: open it first."""
    reply = checked(reply, target)
    if reply[0] == b"closed":
        return Step(0, b"", closed=True)
    return Step(int(reply[1]), reply[2])

"""Track: what a running job leaves for others (progress, a checkpoint), and what is known of one that ended.

All of it lies in `tracks`, a hash of the partition, but for results: those are keys of their own that expire
by themselves, named after the entry that brought them, so that the end of a job names exactly its own result.

    p:<jid>  <ms>|<percent>|<message>
    c:<jid>  <ms>|<bytes>
    e:<jid>  <ms>|<ttl ms>|<how>|<type>[|<ran ms>|<result>] \\n <state>

`<result>` is `-` for None, `k<entry id>` for one that is kept, `!<why>` for one that could not be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from ganger.calls import checked, fresh
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.job import BLANK, Entry, State, decode_state
from ganger.keys import Partition
from ganger.scripts import script

MAX_AGE_MS = 180 * 24 * 3600 * 1000
"""How long a checkpoint is kept that no attempt and no end has touched: as long as a dead letter."""
NONE = "-"


class Kept(StrEnum):
    KEPT = "kept"
    GONE = "gone"
    """The entry is not there any more: settled, moved or recovered."""
    STOLEN = "stolen"
    """It is leased to another now."""


@dataclass(frozen=True, slots=True)
class Progress:
    at_ms: int
    percent: float
    message: str


@dataclass(frozen=True, slots=True)
class End:
    """How a tracked job ended. `peak_rss_bytes`: 0 = not known; `kept`: the entry id under which its result
    lies; `why`: it has none, because of this."""

    at_ms: int
    how: str
    type: str
    state: State = BLANK
    ran_ms: int | None = None
    peak_rss_bytes: int = 0
    kept: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """What is known of one job besides the structure that holds it."""

    progress: Progress | None = None
    checkpoint: bytes | None = None
    end: End | None = None


def keep(
    cluster: Cluster,
    entry: Entry,
    consumer: str,
    what: str,
    value: bytes,
    *,
    deadline_s: float = 10.0,
    replicas: int = 0,
) -> Kept:
    """Keep progress (`p`) or a checkpoint (`c`) of a job that the consumer holds."""
    partition = entry.partition
    keys = (partition.meta, partition.tracks, partition.streams[entry.stream])
    command = script("keep").command(partition.slot, keys, (consumer, entry.id, entry.jid, what, value))
    try:
        reply = checked(cluster.run(command, deadline_s=deadline_s, replicas=replicas), partition)
    except Uninitialised:
        return Kept.GONE
    return Kept(reply[0].decode())


def progress_value(percent: float, message: str) -> bytes:
    """As `keep` wants it."""
    return f"{percent:g}|{message}".encode("utf-8", "replace")


def read(cluster: Cluster, partition: Partition, jid: str, *, deadline_s: float = 10.0) -> Track:
    """What is known of this job."""
    fields = [f"{kind}:{jid}" for kind in "pce"]
    found = cluster.run(Command(partition.slot, ("HMGET", partition.tracks, *fields)), deadline_s=deadline_s)
    progress, checkpoint, end = found
    return Track(
        None if progress is None else _progress(progress),
        None if checkpoint is None else checkpoint.partition(b"|")[2],
        None if end is None else _end(end),
    )


def checkpoint(cluster: Cluster, entry: Entry, *, deadline_s: float = 10.0) -> bytes | None:
    """What an earlier attempt of this job kept."""
    partition = entry.partition
    words = ("HGET", partition.tracks, f"c:{entry.jid}")
    found = cluster.run(Command(partition.slot, words), deadline_s=deadline_s)
    return None if found is None else bytes(found.partition(b"|")[2])


def finish(
    cluster: Cluster,
    entry: Entry,
    ran_ms: int,
    result: str,
    *,
    peak_rss_bytes: int = 0,
    deadline_s: float = 10.0,
) -> bool:
    """Settle a tracked success and tell its result, all at once. False: the entry was not there any more."""
    partition = entry.partition
    keys = (partition.meta, *partition.ends, partition.streams[entry.stream])
    args = (*fresh(), entry.stream, entry.id, ran_ms, peak_rss_bytes, result)
    command = script("finish").command(partition.slot, keys, args)
    try:
        return bool(checked(cluster.run(command, deadline_s=deadline_s), partition)[0] == b"finished")
    except Uninitialised:
        return False


def put_result(cluster: Cluster, entry: Entry, value: bytes, ttl_ms: int, *, deadline_s: float = 10.0) -> str:
    """Before `finish`, which gets what this answers: an end that names a result finds it. Should finish never
    come, it expires unseen."""
    key = entry.partition.result(entry.jid, entry.id)
    cluster.run(Command(entry.partition.slot, ("SET", key, value, "PX", ttl_ms)), deadline_s=deadline_s)
    return f"k{entry.id.decode()}"


def refused(why: str) -> str:
    """A result that can't be kept, for `finish`."""
    return "!" + why.translate({ord("|"): "/", ord("\n"): " "})


def get_result(
    cluster: Cluster, partition: Partition, jid: str, kept: str, *, deadline_s: float = 10.0
) -> bytes | None:
    """None when it has expired."""
    command = Command(partition.slot, ("GET", partition.result(jid, kept.encode())))
    found: bytes | None = cluster.run(command, deadline_s=deadline_s)
    return found


def sweep(
    cluster: Cluster, partition: Partition, cursor: int = 0, *, deadline_s: float = 10.0
) -> tuple[int, int]:
    """One bounded step of dropping what is over; call it with the cursor answered until that is 0. Answers
    (next cursor, removed)."""
    command = script("sweep_tracks").command(
        partition.slot, (partition.meta, partition.tracks), (cursor, 200, MAX_AGE_MS)
    )
    try:
        reply = checked(cluster.run(command, deadline_s=deadline_s), partition)
    except Uninitialised:
        return 0, 0
    return int(reply[1]), int(reply[2])


def _progress(value: bytes) -> Progress | None:
    try:
        at_ms, percent, message = value.split(b"|", 2)
        return Progress(int(at_ms), float(percent), message.decode("utf-8", "replace"))
    except ValueError:
        return None


def _end(value: bytes) -> End | None:
    line, _, state = value.partition(b"\n")
    try:
        at_ms, _, how, type, *more = line.decode("utf-8", "replace").split("|")
        return End(int(at_ms), how, type, decode_state(state), *_result(more))
    except (ValueError, msgspec.DecodeError):
        return None


def _result(more: Sequence[str]) -> tuple[int | None, int, str | None, str | None]:
    if len(more) != 3:
        return None, 0, None, "its result was not kept"
    ran_ms, peak, word = more
    kept = word[1:] if word.startswith("k") else None
    return int(ran_ms), int(peak), kept, word[1:] if word.startswith("!") else None

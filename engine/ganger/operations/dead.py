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

MAX_RETRIED = 100
"""Per call, to bound how long the node is busy with it."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that gave up. `at_ms` = when it was buried, by its node's clock."""

    partition: Partition
    jid: str
    at_ms: int
    record: Record


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a listing goes on: behind the letter `jid`, buried at `at_ms`; without a jid, with that
    instant."""

    at_ms: str = "+inf"
    jid: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some letters, newest first, and where the next page begins; None at the end."""

    letters: list[DeadLetter]
    next: Cursor | None


def list_command(
    partition: Partition,
    after: Cursor = Cursor(),
    *,
    limit: int = 100,
    since_ms: int = 0,
    type: str | None = None,
    heads: bool = False,
) -> Command:
    """Newest first, buried at `since_ms` or later; with `heads` without their bodies; for run_many. A page
    may hold fewer than `limit`, or none, and not be the last."""
    keys = (partition.meta, partition.dead, *partition.jobs)
    args = (after.at_ms, after.jid, since_ms, type or "", int(heads), limit)
    return script("dead_list").command(partition.slot, keys, args)


def parse_list(reply: Any, partition: Partition) -> Page:
    """Records that can't be read are shown with type `garbled`."""
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return Page([], None)
    rows = zip(reply[3::3], reply[4::3], reply[5::3], strict=True)
    letters = [
        DeadLetter(partition, _text(jid), int(float(at_ms)), Record.read(data)) for jid, at_ms, data in rows
    ]
    return Page(letters, Cursor(_text(reply[1]), _text(reply[2])) if reply[2] else None)


def read_command(letter: DeadLetter) -> Command:
    """The whole record of one, body and all; for run_many."""
    return Command(letter.partition.slot, ("HGET", letter.partition.jobs_bucket(letter.jid), letter.jid))


def retry(
    cluster: Cluster, partition: Partition, letters: Sequence[tuple[str, State]], *, deadline_s: float = 10.0
) -> int:
    """dead -> ready: each jid with the state it has now; attempts and crashes count from nothing. Answers how
    many were still there."""
    keys = (partition.meta, partition.dead, *partition.jobs, *partition.ready)
    count = 0
    while letters:
        words: list[str | bytes] = []
        for jid, state in letters[:MAX_RETRIED]:
            words += [jid, encode_state(state.revive())]
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
    keys = (partition.meta, partition.dead, *partition.jobs)
    command = script("dead_delete").command(partition.slot, keys, jids[:1000])
    try:
        return int(checked(cluster.run(command, deadline_s=deadline_s), partition)[1])
    except Uninitialised:
        return 0


def _text(word: bytes) -> str:
    return word.decode("utf-8", "replace")

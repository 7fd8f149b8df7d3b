"""Kept: the jobs of a partition that lie outside its streams, listed page by page. Read-only.

Those of later come soonest first, dead letters newest first. Both are read behind a cursor: what has gone or
come meanwhile shifts nothing, and since a new burial stands before the cursor, no letter comes twice.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ganger.calls import checked
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.job import Record
from ganger.keys import Partition
from ganger.lifecycle import read_ms
from ganger.scripts import script


class Shelf(StrEnum):
    """Which jobs: scheduled and retrying ones, or dead letters."""

    LATER = "later"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Kept:
    """`at_ms` = when it is due, or was buried, by its node's clock."""

    partition: Partition
    jid: str
    at_ms: int
    record: Record


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a listing goes on: behind the job `jid` at `at_ms`; without a jid, with that instant."""

    at_ms: str
    jid: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of them in order, and where the next page begins; None at the end."""

    jobs: list[Kept]
    next: Cursor | None


def list_command(
    partition: Partition,
    shelf: Shelf,
    after: Cursor | None = None,
    *,
    limit: int = 100,
    since_ms: int | None = None,
    until_ms: int | None = None,
    type: str | None = None,
    heads: bool = False,
) -> Command:
    """Those due or buried from `since_ms` to `until_ms`; with `heads` without their bodies; for run_many. A
    page may hold fewer than `limit`, or none, and not be the last."""
    first, last = "-inf" if since_ms is None else str(since_ms), "+inf" if until_ms is None else str(until_ms)
    newest = shelf == Shelf.DEAD
    if newest:
        first, last = last, first
    if after is None:
        after = Cursor(first)
    keys = (partition.meta, partition.dead if newest else partition.later, *partition.jobs)
    args = ("REV" if newest else "", after.at_ms, after.jid, last, type or "", int(heads), limit)
    return script("kept_list").command(partition.slot, keys, args)


def parse_list(reply: Any, partition: Partition) -> Page:
    """Records that can't be read are shown with type `garbled`."""
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return Page([], None)
    rows = zip(reply[3::3], reply[4::3], reply[5::3], strict=True)
    jobs = [Kept(partition, _text(jid), read_ms(at_ms), Record.read(data)) for jid, at_ms, data in rows]
    return Page(jobs, Cursor(_text(reply[1]), _text(reply[2])) if reply[2] else None)


def read_command(job: Kept) -> Command:
    """The whole record of one, body and all; for run_many."""
    return Command(job.partition.slot, ("HGET", job.partition.jobs_bucket(job.jid), job.jid))


def _text(word: bytes) -> str:
    return word.decode("utf-8", "replace")

"""Listing jobs that are scheduled, retrying or dead, across the partitions of the queues, by a filter.

Whatever their number and size, a few are held at a time: pages of heads (all but the body) are merged, and
bodies are read for those alone that are shown. Called by inspect.py and letters.py; operations/kept.py knows
one partition.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Record
from ganger.keys import Partition
from ganger.operations import kept
from ganger.operations.kept import Cursor, Kept, Page, Shelf

PAGE = 100
WHOLE = 16
"""Bodies read in one trip."""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are meant; None leaves it open. `cause` and `error` speak of the last failure, `error` is a
    text within the exception's class or message, in any case of letters. The instants are when it is due, of
    a dead letter when it was buried. `failed`: whether it has failed before, as retrying ones have."""

    queue: str | None = None
    type: str | None = None
    cause: str | None = None
    error: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    failed: bool | None = None

    def matches(self, record: Record) -> bool:
        """Whether the failures fit; type and time are compared where the jobs lie."""
        failures = record.state.failures
        if self.failed is not None and self.failed != bool(failures):
            return False
        if self.cause is None and self.error is None:
            return True
        if not failures or self.cause not in (None, failures[-1].cause):
            return False
        said = f"{failures[-1].error}: {failures[-1].message}"
        return self.error is None or self.error.casefold() in said.casefold()


ANY = JobFilter()


def merged(
    cluster: Cluster, places: Sequence[Partition], shelf: Shelf, wanted: JobFilter = ANY
) -> Iterator[Kept]:
    """Of all these partitions, later ones soonest first, dead letters newest first; without bodies. Raises
    GangerError for a partition out of reach."""
    replies = cluster.run_many([_command(place, shelf, wanted) for place in places], deadline_s=5.0)
    pages = [kept.parse_list(reply, place) for place, reply in zip(places, replies, strict=True)]
    lines = [_from(cluster, place, shelf, wanted, page) for place, page in zip(places, pages, strict=True)]
    sign = -1 if shelf == Shelf.DEAD else 1
    return heapq.merge(*lines, key=lambda job: sign * job.at_ms)


def of_one(cluster: Cluster, place: Partition, shelf: Shelf, wanted: JobFilter = ANY) -> Iterator[Kept]:
    """Of one partition."""
    first = kept.parse_list(cluster.run(_command(place, shelf, wanted)), place)
    return _from(cluster, place, shelf, wanted, first)


def whole(cluster: Cluster, jobs: Iterable[Kept]) -> Iterator[Kept]:
    """The same jobs with their bodies; those that are gone by now are left out."""
    rest = iter(jobs)
    while chunk := list(islice(rest, WHOLE)):
        replies = cluster.run_many([kept.read_command(job) for job in chunk], deadline_s=5.0)
        for job, reply in zip(chunk, replies, strict=True):
            if isinstance(reply, Exception):
                raise reply
            if reply is not None:
                yield Kept(job.partition, job.jid, job.at_ms, Record.read(reply))


def _command(place: Partition, shelf: Shelf, wanted: JobFilter, after: Cursor | None = None) -> Command:
    return kept.list_command(
        place,
        shelf,
        after,
        limit=PAGE,
        since_ms=wanted.since_ms,
        until_ms=wanted.until_ms,
        type=wanted.type,
        heads=True,
    )


def _from(cluster: Cluster, place: Partition, shelf: Shelf, wanted: JobFilter, page: Page) -> Iterator[Kept]:
    """One partition's jobs, from a page that was read."""
    while True:
        yield from (job for job in page.jobs if wanted.matches(job.record))
        if page.next is None:
            return
        page = kept.parse_list(cluster.run(_command(place, shelf, wanted, page.next)), place)

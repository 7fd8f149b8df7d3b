"""Listing jobs that are scheduled, retrying or dead, across the partitions of the queues, by a filter.

Whatever their number and size, a few are held at a time: pages of heads (all but the body) are merged, and
bodies are read for those alone that are shown. Whoever passes `missed` gets what is in reach, and in `missed`
the partitions that are not; without it the first of these is raised. Called by inspect.py and letters.py;
operations/kept.py knows one partition.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import GangerError
from ganger.job import Record
from ganger.keys import Partition
from ganger.operations import kept
from ganger.operations.kept import Cursor, Kept, Page, Shelf
from ganger.operations.look import LOOK_S

PAGE = 100
WHOLE = 16
"""Bodies read in one trip."""
Missed = dict[Partition, GangerError]


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


def lines(
    cluster: Cluster,
    places: Sequence[Partition],
    shelf: Shelf,
    wanted: JobFilter = ANY,
    missed: Missed | None = None,
) -> dict[Partition, Iterator[Kept]]:
    """The jobs of each partition, whose first pages are read in one trip; without bodies."""
    commands = [_command(place, shelf, wanted) for place in places]
    found: dict[Partition, Iterator[Kept]] = {}
    for place, reply in zip(places, cluster.run_many(commands, deadline_s=LOOK_S), strict=True):
        try:
            page = kept.parse_list(reply, place)
        except GangerError as error:
            leave_out(place, error, missed)
            continue
        found[place] = _from(cluster, place, shelf, wanted, page, missed)
    return found


def merged(
    cluster: Cluster,
    places: Sequence[Partition],
    shelf: Shelf,
    wanted: JobFilter = ANY,
    missed: Missed | None = None,
) -> Iterator[Kept]:
    """Of all these partitions, later ones soonest first, dead letters newest first; without bodies."""
    sign = -1 if shelf == Shelf.DEAD else 1
    each = lines(cluster, places, shelf, wanted, missed).values()
    return heapq.merge(*each, key=lambda job: sign * job.at_ms)


def of_one(cluster: Cluster, place: Partition, shelf: Shelf, wanted: JobFilter = ANY) -> Iterator[Kept]:
    """Of one partition. Raises GangerError when it is out of reach."""
    first = kept.parse_list(cluster.run(_command(place, shelf, wanted), deadline_s=LOOK_S), place)
    return _from(cluster, place, shelf, wanted, first)


def whole(cluster: Cluster, jobs: Iterable[Kept], missed: Missed | None = None) -> Iterator[Kept]:
    """The same jobs with their bodies; those that are gone by now are left out."""
    rest = iter(jobs)
    while chunk := list(islice(rest, WHOLE)):
        replies = cluster.run_many([kept.read_command(job) for job in chunk], deadline_s=LOOK_S)
        for job, reply in zip(chunk, replies, strict=True):
            if isinstance(reply, GangerError):
                leave_out(job.partition, reply, missed)
            elif reply is not None:
                yield Kept(job.partition, job.jid, job.at_ms, Record.read(reply))


def leave_out(place: Partition, error: GangerError, missed: Missed | None) -> None:
    """Note it for the caller who wants what there is; raise it for the one who wants all or nothing."""
    if missed is None:
        raise error
    missed.setdefault(place, error)


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


def _from(
    cluster: Cluster,
    place: Partition,
    shelf: Shelf,
    wanted: JobFilter,
    page: Page,
    missed: Missed | None = None,
) -> Iterator[Kept]:
    """One partition's jobs, from a page that was read."""
    while True:
        yield from (job for job in page.jobs if wanted.matches(job.record))
        if page.next is None:
            return
        try:
            reply = cluster.run(_command(place, shelf, wanted, page.next), deadline_s=LOOK_S)
            page = kept.parse_list(reply, place)
        except GangerError as error:
            leave_out(place, error, missed)
            return

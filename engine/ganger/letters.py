"""Dead letters across the partitions of the queues: counting, sending back, deleting those that fit a filter.

A few are held at a time, and each partition is read behind a cursor that only goes back in time, so what dies
again meanwhile is left alone. `DeadLetters` is the part of `Admin` that is about them.

Crash points of sending many back: between two chunks. What was sent back is no dead letter any more, so a
second run goes on where the first one ended; a chunk whose reply was lost finds its letters gone.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from time import sleep

from ganger import inspect, listing
from ganger.clock import monotonic_s
from ganger.cluster import Cluster
from ganger.errors import GangerError, JobNotFound
from ganger.keys import Control, Partition
from ganger.lifecycle import JobState
from ganger.listing import ANY, JobFilter, Missed
from ganger.operations import dead
from ganger.operations.kept import Kept, Shelf
from ganger.views import Crash, DeadLetter, Job

CHUNK = 100
Act = Callable[[Cluster, Sequence[Kept]], int]


def count(
    cluster: Cluster, places: Sequence[Partition], wanted: JobFilter = ANY, missed: Missed | None = None
) -> dict[str, int]:
    """How many there are per queue."""
    found: dict[str, int] = {}
    for place, line in listing.lines(cluster, places, Shelf.DEAD, wanted, missed).items():
        found[place.queue] = found.get(place.queue, 0) + sum(1 for _ in line)
    return {queue: number for queue, number in found.items() if number}


def each(
    cluster: Cluster,
    places: Sequence[Partition],
    act: Act,
    wanted: JobFilter = ANY,
    *,
    rate: float | None = None,
    missed: Missed | None = None,
) -> Iterator[int]:
    """Do it to all of them, at most `rate` a second; yields how many it was done to, chunk by chunk. What is
    in `missed` from the beginning is not tried."""
    size = CHUNK if rate is None else min(CHUNK, max(1, int(rate / 10)))
    began_s, handled = monotonic_s(), 0
    for chunk in _chunks(cluster, places, wanted, size, missed):
        if rate is not None:
            sleep(max(0.0, began_s + handled / rate - monotonic_s()))
        place = chunk[0].partition
        if missed is not None and place in missed:
            continue
        handled += len(chunk)
        try:
            done = act(cluster, chunk)
        except GangerError as error:
            listing.leave_out(place, error, missed)
            continue
        yield done


def send_back(cluster: Cluster, letters: Sequence[Kept]) -> int:
    """How many are ready again; letters of one partition."""
    seen = [dead.Letter(letter.jid, letter.record.state, letter.at_ms) for letter in letters]
    return dead.retry(cluster, letters[0].partition, seen)


def delete(cluster: Cluster, letters: Sequence[Kept]) -> int:
    """How many are gone; letters of one partition."""
    return dead.delete(cluster, letters[0].partition, [letter.jid for letter in letters])


def _chunks(
    cluster: Cluster, places: Sequence[Partition], wanted: JobFilter, size: int, missed: Missed | None
) -> Iterator[list[Kept]]:
    """Partition by partition."""
    for place in places:
        if missed is not None and place in missed:
            continue
        try:
            rest = listing.of_one(cluster, place, Shelf.DEAD, wanted)
            while chunk := list(islice(rest, size)):
                yield chunk
        except GangerError as error:
            listing.leave_out(place, error, missed)


class DeadLetters:
    """What Admin has of this: Admin is one."""

    def __init__(self, cluster: Cluster, control: Control) -> None:
        self._cluster = cluster
        self._control = control

    def dead(
        self,
        wanted: JobFilter = ANY,
        limit: int = 100,
        *,
        heads: bool = False,
        missed: Missed | None = None,
    ) -> Iterator[Job]:
        """The newest that fit, a few in memory at a time; with `heads` without their arguments. Here and
        below: with a dict as `missed`, partitions out of reach are left out and told there."""
        found = inspect.dead(self._cluster, self._control, wanted, limit, heads=heads, missed=missed)
        return (Job.of(document) for document in found)

    def dead_letter(self, jid: str) -> DeadLetter:
        """One of them with every failure, and the post-mortems of the workers that it killed. Raises
        JobNotFound."""
        document = inspect.job(self._cluster, self._control, jid)
        if document["state"] != JobState.DEAD:
            raise JobNotFound(f"{jid} is no dead letter: it is {document['state']}.")
        crashes = inspect.crashes_of(self._cluster, self._control, jid)
        return DeadLetter.of(document | {"crash_records": [Crash.of(row) for row in crashes]})

    def count_dead(self, wanted: JobFilter = ANY, missed: Missed | None = None) -> dict[str, int]:
        """How many fit, per queue."""
        return count(self._cluster, self._places(wanted), wanted, missed)

    def retry_dead(
        self, wanted: JobFilter = ANY, *, rate: float | None = None, missed: Missed | None = None
    ) -> Iterator[int]:
        """Send all that fit back to their queues, at most `rate` a second, while the caller iterates: yields
        how many went, chunk by chunk. Left half-way, the next call goes on: what went is dead no more. What
        is in `missed` already is not tried."""
        act = send_back
        return each(self._cluster, self._places(wanted), act, wanted, rate=rate, missed=missed)

    def delete_dead(self, wanted: JobFilter = ANY, *, missed: Missed | None = None) -> Iterator[int]:
        """Delete all that fit for ever, while the caller iterates."""
        return each(self._cluster, self._places(wanted), delete, wanted, missed=missed)

    def retry_letters(self, jids: Sequence[str]) -> int:
        """Send these back. Raises JobNotFound, with nothing done, when one of them is no dead letter."""
        return sum(send_back(self._cluster, [letter]) for letter in self._letters(jids))

    def delete_letters(self, jids: Sequence[str]) -> int:
        """Delete these for ever. Raises JobNotFound, with nothing done, when one of them is no dead
        letter."""
        return sum(delete(self._cluster, [letter]) for letter in self._letters(jids))

    def _places(self, wanted: JobFilter) -> list[Partition]:
        return inspect.chosen(self._cluster, self._control, wanted.queue)

    def _letters(self, jids: Sequence[str]) -> list[Kept]:
        found = []
        for jid in jids:
            seen = inspect.locate(self._cluster, self._control, jid)
            if seen.state != JobState.DEAD:
                raise JobNotFound(f"{jid} is no dead letter: it is {seen.state}.")
            found.append(Kept(seen.partition, jid, seen.dead_at_ms or 0, seen.record))
        return found

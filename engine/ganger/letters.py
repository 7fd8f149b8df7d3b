"""Dead letters across the partitions of the queues: which there are, counting, sending back, deleting them.

Whatever their number and size, a few are held at a time: listings read heads (all but the body), and each
partition is read behind a cursor that only goes back in time, so what dies again meanwhile is left alone.
Called by `Admin` and inspect.py; operations/dead.py knows one partition.

Crash points of sending many back: between two chunks. What was sent back is no dead letter any more, so a
second run goes on where the first one ended; a chunk whose reply was lost finds its letters gone.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from time import sleep

from ganger.clock import monotonic_s
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Record
from ganger.keys import Partition
from ganger.operations import dead
from ganger.operations.dead import Cursor, DeadLetter

PAGE = 50
CHUNK = 100
WHOLE = 16
"""Bodies read in one trip."""
Act = Callable[[Cluster, Sequence[DeadLetter]], int]


@dataclass(frozen=True, slots=True)
class DeadFilter:
    """Which dead letters are meant; None leaves it open. `cause` and `error` speak of the last failure,
    `error` is a text within the exception's class or message, in any case of letters."""

    queue: str | None = None
    type: str | None = None
    cause: str | None = None
    error: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def matches(self, record: Record) -> bool:
        """Whether cause and error fit; type and time are compared where the letters lie."""
        if self.cause is None and self.error is None:
            return True
        if not record.state.failures:
            return False
        last = record.state.failures[-1]
        if self.cause is not None and last.cause != self.cause:
            return False
        return self.error is None or self.error.casefold() in f"{last.error}: {last.message}".casefold()


ANY = DeadFilter()


def newest_first(
    cluster: Cluster, places: Sequence[Partition], wanted: DeadFilter = ANY
) -> Iterator[DeadLetter]:
    """Of all these partitions, merged; without bodies. Raises GangerError for one out of reach."""
    replies = cluster.run_many([_command(place, wanted, _start(wanted)) for place in places], deadline_s=5.0)
    pages = [dead.parse_list(reply, place) for place, reply in zip(places, replies, strict=True)]
    lines = [_from(cluster, place, wanted, page) for place, page in zip(places, pages, strict=True)]
    return heapq.merge(*lines, key=lambda letter: -letter.at_ms)


def whole(cluster: Cluster, letters: Iterable[DeadLetter]) -> Iterator[DeadLetter]:
    """The same letters with their bodies; those that are gone by now are left out."""
    rest = iter(letters)
    while chunk := list(islice(rest, WHOLE)):
        replies = cluster.run_many([dead.read_command(letter) for letter in chunk], deadline_s=5.0)
        for letter, reply in zip(chunk, replies, strict=True):
            if isinstance(reply, Exception):
                raise reply
            if reply is not None:
                yield DeadLetter(letter.partition, letter.jid, letter.at_ms, Record.read(reply))


def count(cluster: Cluster, places: Sequence[Partition], wanted: DeadFilter = ANY) -> dict[str, int]:
    """How many there are per queue."""
    found: dict[str, int] = {}
    for chunk in _chunks(cluster, places, wanted, CHUNK):
        queue = chunk[0].partition.queue
        found[queue] = found.get(queue, 0) + len(chunk)
    return found


def each(
    cluster: Cluster,
    places: Sequence[Partition],
    act: Act,
    wanted: DeadFilter = ANY,
    *,
    rate: float | None = None,
) -> Iterator[int]:
    """Do it to all of them, at most `rate` a second; yields how many it was done to, chunk by chunk."""
    size = CHUNK if rate is None else min(CHUNK, max(1, int(rate / 10)))
    began_s, handled = monotonic_s(), 0
    for chunk in _chunks(cluster, places, wanted, size):
        if rate is not None:
            sleep(max(0.0, began_s + handled / rate - monotonic_s()))
        handled += len(chunk)
        yield act(cluster, chunk)


def send_back(cluster: Cluster, letters: Sequence[DeadLetter]) -> int:
    """How many are ready again; letters of one partition."""
    pairs = [(letter.jid, letter.record.state) for letter in letters]
    return dead.retry(cluster, letters[0].partition, pairs)


def delete(cluster: Cluster, letters: Sequence[DeadLetter]) -> int:
    """How many are gone; letters of one partition."""
    return dead.delete(cluster, letters[0].partition, [letter.jid for letter in letters])


def _start(wanted: DeadFilter) -> Cursor:
    return Cursor() if wanted.until_ms is None else Cursor(str(wanted.until_ms))


def _command(place: Partition, wanted: DeadFilter, after: Cursor) -> Command:
    return dead.list_command(
        place, after, limit=PAGE, since_ms=wanted.since_ms or 0, type=wanted.type, heads=True
    )


def _from(cluster: Cluster, place: Partition, wanted: DeadFilter, page: dead.Page) -> Iterator[DeadLetter]:
    """One partition's letters, from a page that was read."""
    while True:
        yield from (letter for letter in page.letters if wanted.matches(letter.record))
        if page.next is None:
            return
        page = dead.parse_list(cluster.run(_command(place, wanted, page.next)), place)


def _chunks(
    cluster: Cluster, places: Sequence[Partition], wanted: DeadFilter, size: int
) -> Iterator[list[DeadLetter]]:
    """Partition by partition."""
    for place in places:
        rest = _from(cluster, place, wanted, dead.Page([], _start(wanted)))
        while chunk := list(islice(rest, size)):
            yield chunk

"""Dead letters across the partitions of the queues: counting, sending back, deleting those that fit a filter.

A few are held at a time, and each partition is read behind a cursor that only goes back in time, so what dies
again meanwhile is left alone. Called by `Admin`.

Crash points of sending many back: between two chunks. What was sent back is no dead letter any more, so a
second run goes on where the first one ended; a chunk whose reply was lost finds its letters gone.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from time import sleep

from ganger import listing
from ganger.clock import monotonic_s
from ganger.cluster import Cluster
from ganger.keys import Partition
from ganger.listing import ANY, JobFilter
from ganger.operations import dead
from ganger.operations.kept import Kept, Shelf

CHUNK = 100
Act = Callable[[Cluster, Sequence[Kept]], int]


def count(cluster: Cluster, places: Sequence[Partition], wanted: JobFilter = ANY) -> dict[str, int]:
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
    wanted: JobFilter = ANY,
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


def send_back(cluster: Cluster, letters: Sequence[Kept]) -> int:
    """How many are ready again; letters of one partition."""
    pairs = [(letter.jid, letter.record.state) for letter in letters]
    return dead.retry(cluster, letters[0].partition, pairs)


def delete(cluster: Cluster, letters: Sequence[Kept]) -> int:
    """How many are gone; letters of one partition."""
    return dead.delete(cluster, letters[0].partition, [letter.jid for letter in letters])


def _chunks(
    cluster: Cluster, places: Sequence[Partition], wanted: JobFilter, size: int
) -> Iterator[list[Kept]]:
    """Partition by partition."""
    for place in places:
        rest = listing.of_one(cluster, place, Shelf.DEAD, wanted)
        while chunk := list(islice(rest, size)):
            yield chunk

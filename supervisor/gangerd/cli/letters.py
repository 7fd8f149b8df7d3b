"""Dead letters across the partitions of the queues: which there are, sending them back, deleting them.

Between `ganger dead` and the engine's operations, which know one partition each."""

import time
from collections.abc import Iterator, Sequence

from ganger import inspect
from ganger.cluster import Cluster
from ganger.errors import BadName, JobNotFound
from ganger.keys import Control, Partition
from ganger.lifecycle import JobState
from ganger.operations import dead

CHUNK = 100


def chosen(cluster: Cluster, control: Control, queue: str | None) -> list[Partition]:
    """The partitions of one queue, or of all. Raises BadName for a queue that does not exist."""
    found = inspect.all_partitions(cluster, control)
    if queue is not None and queue not in found:
        raise BadName(f"There is no queue {queue!r}; there are: {', '.join(found) or 'none'}.")
    return [part for name in found if queue in (None, name) for part in found[name]]


def named(cluster: Cluster, control: Control, wanted: Sequence[str]) -> list[dead.DeadLetter]:
    """The dead letters with these jids. Raises JobNotFound at the first that is none."""
    letters = []
    for jid in wanted:
        found = inspect.locate(cluster, control, jid)
        if found.state != JobState.DEAD:
            raise JobNotFound(f"{jid} is no dead letter: it is {found.state}.")
        letters.append(dead.DeadLetter(found.partition, jid, found.dead_at_ms or 0, found.record))
    return letters


def everything(
    cluster: Cluster, places: Sequence[Partition], until_ms: int | None = None
) -> Iterator[list[dead.DeadLetter]]:
    """All dead letters that are there now, in chunks of a partition. The caller takes each chunk away before
    the next is read, so what dies again meanwhile is told by its time, and left."""
    until_ms = int(time.time() * 1000) if until_ms is None else until_ms
    for place in places:
        kept = 0
        done: set[str] = set()
        while True:
            command = dead.list_command(place, limit=CHUNK, offset=kept)
            found = dead.parse_list(cluster.run(command), place)
            if not found:
                break
            # One that is still there although it was handed out (nothing could be done to it) is passed over.
            old = [letter for letter in found if letter.at_ms <= until_ms and letter.jid not in done]
            done.update(letter.jid for letter in old)
            kept += len(found) - len(old)
            if old:
                yield old
            elif len(found) < CHUNK:
                break


def send_back(cluster: Cluster, letters: Sequence[dead.DeadLetter]) -> int:
    """How many are ready again; letters of one partition."""
    pairs = [(letter.jid, letter.record.state) for letter in letters]
    return dead.retry(cluster, letters[0].partition, pairs)


def delete(cluster: Cluster, letters: Sequence[dead.DeadLetter]) -> int:
    """How many are gone; letters of one partition."""
    return dead.delete(cluster, letters[0].partition, [letter.jid for letter in letters])

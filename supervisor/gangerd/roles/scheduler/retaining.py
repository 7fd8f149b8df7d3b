"""What queues keep of their ended jobs: carried out and trimmed by the leader.

What is wanted stands in Redis: the command says it, and each host's coordinator when it starts. A partition
that was out of reach then is told with the next round.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from ganger.cluster import Cluster
from ganger.keys import Control, Partition
from ganger.operations import retain
from ganger.operations.retain import Retention

DEADLINE_S = 0.8


class Retaining:
    def __init__(self, keys: Control) -> None:
        self._keys = keys

    def steps(self, cluster: Cluster, partitions: Iterable[Partition]) -> Iterator[Callable[[], object]]:
        """The steps that tell partitions what to keep and drop what is too old or too much."""
        places: dict[str, list[Partition]] = {}
        for partition in partitions:
            places.setdefault(partition.queue, []).append(partition)
        wanted: dict[str, Retention] = {}
        yield lambda: wanted.update(retain.wanted(cluster, self._keys, deadline_s=DEADLINE_S))
        for queue, retention in wanted.items():
            for place in places.get(queue, ()):
                yield from _trim(partial(retain.trim, cluster, place, len(places[queue]), retention))


def _trim(once: Callable[..., tuple[int, bool]]) -> Iterator[Callable[[], object]]:
    """Steps until nothing more is to be removed."""
    more = False

    def step() -> None:
        nonlocal more
        more = False
        _, more = once(deadline_s=DEADLINE_S)

    yield step
    while more:
        yield step

"""What queues keep of their ended jobs: said once by each host's settings, carried out and trimmed by the
leader.

The settings win over what the command said before, once, when the host starts; afterwards the command wins.
A partition out of reach is told with the next round.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from ganger.cluster import Cluster
from ganger.keys import Control, Partition
from ganger.operations import retain
from ganger.operations.retain import Retention
from gangerd.roles.queues import Queues

DEADLINE_S = 0.8


class Retaining:
    def __init__(
        self, cluster: Cluster, keys: Control, settings: Mapping[str, tuple[int, int]], partitions: int
    ) -> None:
        self._cluster = cluster
        self._keys = keys
        self._settings = dict(settings)
        self._partitions = partitions

    def declare(self, queues: Queues) -> None:
        """Put the settings into Redis, the queues with them where they are new, so that their first job is
        kept. Does so once. Raises GangerError: what is left is for the next call."""
        queues.register(self._settings, self._partitions)
        for queue, (age_ms, count) in list(self._settings.items()):
            wanted = Retention(age_ms, count)
            retain.want(self._cluster, self._keys, queue, wanted, deadline_s=DEADLINE_S)
            retain.apply(self._cluster, queues.of(queue), wanted, deadline_s=DEADLINE_S)
            del self._settings[queue]

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

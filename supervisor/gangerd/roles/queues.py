"""The partitions behind queue names: the catalog in Redis, remembered.

How many partitions a queue has is settled once, in Redis, and never changes; so what is known stays known,
and only a name that is new costs a trip. Shared by the coordinator (its own queues, and those that old
pages name) and the scheduler (all of them).
"""

from collections.abc import Iterable

from ganger.cluster import Cluster
from ganger.keys import Control, Partition, partitions
from ganger.operations import control

DEADLINE_S = 0.9
Place = tuple[str, int]
"""(queue, index of the partition)."""


class Queues:
    def __init__(self, cluster: Cluster, keys: Control) -> None:
        self._cluster = cluster
        self._keys = keys
        self.counts: dict[str, int] = {}

    def refresh(self) -> bool:
        """Read the catalog; whether a queue is new. What it has lost (its node came back empty, somebody
        flushed it) is put back as it was: jobs may lie in all those partitions. Raises GangerError."""
        found = control.queues(self._cluster, self._keys, deadline_s=DEADLINE_S)
        for name in self.counts.keys() - found.keys():
            found[name] = control.register_queue(
                self._cluster, self._keys, name, self.counts[name], deadline_s=DEADLINE_S
            )
        fresh = found.keys() - self.counts.keys()
        self.counts.update(found)
        return bool(fresh)

    def register(self, names: Iterable[str], count: int) -> None:
        """Have these queues in the catalog, with `count` partitions where they are new. Raises
        GangerError."""
        for name in names:
            if name not in self.counts:
                self.counts[name] = control.register_queue(
                    self._cluster, self._keys, name, count, deadline_s=DEADLINE_S
                )

    def of(self, queue: str) -> tuple[Partition, ...]:
        """All partitions of a queue; none when it is not known."""
        count = self.counts.get(queue)
        return partitions(self._keys.namespace, queue, count) if count else ()

    def all(self) -> list[Partition]:
        """Every partition of every known queue, queue by queue."""
        return [partition for queue in sorted(self.counts) for partition in self.of(queue)]

    def find(self, place: Place) -> Partition | None:
        """One partition; None for a name or a number that the catalog does not have."""
        queue, index = place
        found = self.of(queue)
        return found[index] if 0 <= index < len(found) else None

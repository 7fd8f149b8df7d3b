"""Parcels: jobs that an outbox owes to a partition in another slot, pushed there once.

The target's memo knows a parcel by its effect's name: for a day as long as it is owed, then like any push.
Crash points: pushed and not cleared, it is pushed again and answered `repeat`; cleared and not noted, the
memo keeps it for the day. A parcel that can't be read is left where it is, and told once.
"""

from collections.abc import Iterable, Sequence

from ganger import parcel
from ganger.calls import open_partition
from ganger.cluster import Cluster
from ganger.errors import GangerError, Uninitialised
from ganger.keys import Partition
from ganger.operations import enqueue
from ganger.operations.outbox import Effect
from ganger.parcel import Parcel
from gangerd import log

DEADLINE_S = 0.8
_logger = log.get()


class Parcels:
    def __init__(self, cluster: Cluster, namespace: str, *, replicas: int = 0) -> None:
        self._cluster = cluster
        self._replicas = replicas
        self._namespace = namespace
        self._told: set[bytes] = set()

    def deliver(self, effects: Sequence[Effect]) -> Iterable[Effect]:
        """Those whose jobs are in their partition now."""
        parcels = [(effect, found) for effect in effects if (found := self._read(effect)) is not None]
        commands = [found.command(effect.target.decode()) for effect, found in parcels]
        replies = self._cluster.run_many(commands, deadline_s=DEADLINE_S, replicas=self._replicas)
        for (effect, found), command, reply in zip(parcels, commands, replies, strict=True):
            try:
                try:
                    enqueue.parse_push(reply, found.partition, found.jobs)
                except Uninitialised:
                    open_partition(self._cluster, found.partition, deadline_s=DEADLINE_S)
                    again = self._cluster.run(command, deadline_s=DEADLINE_S, replicas=self._replicas)
                    enqueue.parse_push(again, found.partition, found.jobs)
            except GangerError:
                continue  # its node is down, or the server full: it stays
            yield effect

    def cleared(self, effects: Sequence[Effect]) -> None:
        """Have their partitions note that these are owed no more."""
        by_partition: dict[Partition, list[str]] = {}
        for effect in effects:
            found = self._read(effect)
            if found is not None:
                by_partition.setdefault(found.partition, []).append(effect.target.decode())
        commands = [enqueue.delivered_command(place, names) for place, names in by_partition.items()]
        self._cluster.run_many(commands, deadline_s=DEADLINE_S)

    def _read(self, effect: Effect) -> Parcel | None:
        try:
            return parcel.decode(self._namespace, effect.value)
        except ValueError as error:
            if effect.name not in self._told:
                self._told.add(effect.name)
                name = effect.name.decode("utf-8", "replace")
                _logger.error(log.EFFECT_GARBLED, effect=name, error=str(error))
            return None

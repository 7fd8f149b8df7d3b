"""Keeps up the leases of what this host's live workers hold.

Only ids that a live page shows in a live phase are renewed, and only where their owner is this host: a
renewal by consumer name would keep for ever what no page knows, and an unchecked one steals after a
failover. Those of all nodes go out together, so that a node that hangs lets nobody else's lease lapse.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ganger.cluster import Cluster
from ganger.errors import GangerError
from ganger.keys import Partition
from ganger.operations import claim
from gangerd import log
from gangerd.page import Page, PageGarbled
from gangerd.recorder import Held
from gangerd.roles.coordinator.patience import to_renew
from gangerd.roles.coordinator.verdicts import by_stream
from gangerd.roles.queues import Place

DEADLINE_S = 0.9
MOST_LEASES = 1000
"""In one call of the script."""
Finder = Callable[[Place], Partition | None]
"""A partition by place; None for one that nobody here knows."""
_logger = log.get()


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to: how many calls there were and how many were answered, and entries found lost."""

    asked: int
    answered: int
    lost: int


class Renewal:
    """`cancelled(partition, id)` is told of each entry whose job somebody has cancelled."""

    def __init__(
        self,
        cluster: Cluster,
        pages: list[Page],
        consumer: str,
        cancelled: Callable[[Partition, bytes], None],
    ) -> None:
        self._cluster = cluster
        self._pages = pages
        self._consumer = consumer
        self._cancelled = cancelled

    def round(self, find: Finder, now_ns: int) -> Round:
        """Renew everything that is due, in one trip."""
        by_place = self._due(now_ns)
        rows = [
            (part, held[at : at + MOST_LEASES])
            for place, held in by_place.items()
            if (part := find(place)) is not None
            for at in range(0, len(held), MOST_LEASES)
        ]
        if not rows:
            return Round(0, 0, 0)
        commands = [
            claim.renew_command(part, self._consumer, by_stream(held for _, held in entries))
            for part, entries in rows
        ]
        answered = lost = 0
        for (part, entries), reply in zip(
            rows, self._cluster.run_many(commands, deadline_s=DEADLINE_S), strict=True
        ):
            try:
                renewed = claim.parse_renew(reply, part)
            except GangerError as error:
                _logger.warning(log.RENEWAL_LATE, queue=part.queue, partition=part.index, error=str(error))
                continue
            answered += 1
            for _, id in renewed.cancelled:
                self._cancelled(part, id)
            if renewed.lost:
                refused = {id.decode() for _, id in renewed.lost}
                lost += self._report(part, [row for row in entries if row[1].id in refused])
        return Round(len(rows), answered, lost)

    def _due(self, now_ns: int) -> dict[Place, list[tuple[int, Held]]]:
        by_place: dict[Place, list[tuple[int, Held]]] = {}
        for slot, page in enumerate(self._pages):
            if not page.phase:
                continue
            try:
                seen = page.snapshot()
            except PageGarbled:
                continue
            for index in to_renew(seen, now_ns):
                held = seen.held[index]
                by_place.setdefault((held.queue, held.partition), []).append((slot, held))
        return by_place

    def _report(self, partition: Partition, entries: list[tuple[int, Held]]) -> int:
        """Say which running jobs may run twice: their lease is another's. One that ended meanwhile is
        none."""
        lost = 0
        for slot, held in entries:
            try:
                seen = self._pages[slot].snapshot()
            except PageGarbled:
                continue
            if seen.running is not None and seen.held[seen.running].id == held.id:
                lost += 1
                _logger.warning(
                    log.LEASE_LOST,
                    jid=held.jid,
                    type=held.type,
                    queue=partition.queue,
                    worker=seen.incarnation,
                )
        return lost

"""Who has lost its lease: decided by what this process saw with its own eyes, for a whole lease, without a
gap.

PURE: observations and monotonic instants come in as arguments. Wall clocks prove nothing here: the delivery
times that servers report are the clock of whichever node wrote them, which a clock step or a promotion moves
for all entries at once. What proves something is that the same (id, owner, delivery time) stood unchanged on
the same node over a whole lease, as seen by a judge that kept looking. A judge that was away for longer than
the gap, a node that changed or a list cut short starts over. Looks that fail are no looks: a renewal that
they missed shows in the next one. So a watch survives a hiccup of the node or of the leadership; else, while
such come every few seconds, no lease would ever be judged. The scheduler asks; recover.lua checks the triple
once more.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ganger.operations.recover import Lease
from gangerd.roles.loop import MS


@dataclass(slots=True)
class _Seen:
    lease: Lease
    since_ns: int


@dataclass(slots=True)
class _Record:
    node: object
    looked_ns: int
    entries: dict[tuple[int, bytes], _Seen]


class Judge:
    """Observations per partition, keyed by anything that names one.

    lease_ms: how long a triple must stand unchanged. gap_ms: two looks further apart than this are no watch.
    """

    def __init__(self, lease_ms: int, gap_ms: int = 5_000) -> None:
        self._lease_ns = lease_ms * MS
        self._gap_ns = gap_ms * MS
        self._records: dict[object, _Record] = {}

    def look(self, place: object, node: object, leases: Iterable[Lease], now_ns: int) -> list[Lease]:
        """Take note of what is leased in a partition now; those whose lease has run out."""
        record = self._records.get(place)
        if record is not None and (record.node != node or now_ns - record.looked_ns > self._gap_ns):
            record = None
        before = record.entries if record is not None else {}
        entries: dict[tuple[int, bytes], _Seen] = {}
        expired: list[Lease] = []
        for lease in leases:
            seen = before.get((lease.stream, lease.id))
            if seen is None or not seen.lease.same_as(lease):
                seen = _Seen(lease, now_ns)
            elif now_ns - seen.since_ns >= self._lease_ns:
                expired.append(lease)
            entries[lease.stream, lease.id] = seen
        if entries:
            self._records[place] = _Record(node, now_ns, entries)
        else:
            self._records.pop(place, None)
        return expired

    @property
    def watches(self) -> bool:
        """Whether anything is under observation."""
        return bool(self._records)

"""Takes from a busy worker what it can't get round to: unstarted entries go back, finished ones are settled.

A scan every 25 ms while any page holds entries. Who may have an entry is decided by the page's kernel lock,
never by a clock: a clock alone runs jobs twice. Crash points: between `take_back` and the release the page
says TAKEN and a successor (or the death of the worker) releases it; between a command and its memory a
repeat finds the entry gone.
"""

from collections.abc import Callable

from ganger.cluster import Cluster
from ganger.errors import GangerError
from ganger.job import BLANK, Entry
from ganger.keys import Partition
from ganger.operations import failing, settle
from gangerd import log
from gangerd.linux.shared_memory import lock_byte, unlock_byte
from gangerd.page import Page, PageGarbled, Snapshot
from gangerd.recorder import EntryState, Held, page_offset
from gangerd.roles.coordinator.patience import glance
from gangerd.roles.coordinator.verdicts import by_stream
from gangerd.roles.queues import Place

DEADLINE_S = 0.5
PATIENCE_NS = 500_000_000
"""Between two tries at what a node did not take."""
MOST_SETTLED = 500
"""In one call of the script, which reads each entry where jobs owe something at their end."""
_logger = log.get()


class HandBack:
    """`find` answers a partition by place, None for one that is not known here."""

    def __init__(
        self,
        cluster: Cluster,
        pages: list[Page],
        recorder_fd: int,
        consumer: str,
        find: Callable[[Place], Partition | None],
    ) -> None:
        self._cluster = cluster
        self._pages = pages
        self._fd = recorder_fd
        self._consumer = consumer
        self._find = find
        self._owed: dict[Place, list[Held]] = {}
        self._retry_ns = 0
        self.released = 0
        """Entries given back so far."""
        # Per slot: the ids that were seen to already, as long as the page shows them.
        self._done: list[set[str]] = [set() for _ in pages]

    def scan(self, now_ns: int) -> bool:
        """One look at every page, with what follows from it; whether anything is in hand, so that the next
        scan is needed soon."""
        busy = False
        finished: list[tuple[int, Held]] = []
        for slot, page in enumerate(self._pages):
            look = glance(page, now_ns)
            busy = busy or look.holds
            if look.take_back:
                self.take_back(slot)
            elif look.release:
                self._gather(slot, page, EntryState.TAKEN)
            if look.settle:
                seen = _snapshot(page)
                finished += [(slot, held) for held in self._fresh(slot, seen, EntryState.DONE)]
        if finished and now_ns >= self._retry_ns:
            self._settle(finished, now_ns)
        if self._owed and now_ns >= self._retry_ns:
            self._release(now_ns)
        return busy or bool(self._owed)

    def flush(self) -> bool:
        """Release what is owed now, whatever was tried before; whether nothing is left."""
        self._release(0)
        return not self._owed

    def take_back(self, slot: int) -> None:
        """What this worker has not started is not its own any more; the next scan releases it."""
        page = self._pages[slot]
        if not lock_byte(self._fd, page_offset(slot), wait=False):
            return  # the worker is starting one at this very moment: it gets on
        try:
            before = _snapshot(page)
            indices = page.take_back()
        finally:
            unlock_byte(self._fd, page_offset(slot))
        if before is None:
            return
        # The worker begins a batch and starts an entry under the same lock: both looks are at one batch.
        taken = [
            before.held[index]
            for index in indices
            if index < len(before.states) and before.states[index] == EntryState.HELD
        ]
        self._owe(slot, taken)
        if taken:
            _logger.debug(log.JOBS_RELEASED, slot=slot, count=len(taken), reason="not started in time")

    def _gather(self, slot: int, page: Page, state: EntryState) -> None:
        self._owe(slot, self._fresh(slot, _snapshot(page), state))

    def _fresh(self, slot: int, seen: Snapshot | None, state: EntryState) -> list[Held]:
        """Entries in this state that have not been seen to."""
        if seen is None:
            return []
        done = self._done[slot]
        done &= {held.id for held in seen.held}
        return [
            held
            for held, each in zip(seen.held, seen.states, strict=True)
            if each == state and held.id not in done
        ]

    def _owe(self, slot: int, entries: list[Held]) -> None:
        for held in entries:
            self._done[slot].add(held.id)
            self._owed.setdefault((held.queue, held.partition), []).append(held)

    def _settle(self, finished: list[tuple[int, Held]], now_ns: int) -> None:
        places: dict[Place, list[tuple[int, Held]]] = {}
        for slot, held in finished:
            places.setdefault((held.queue, held.partition), []).append((slot, held))
        known = [
            (part, rows[at : at + MOST_SETTLED])
            for place, rows in places.items()
            if (part := self._find(place)) is not None
            for at in range(0, len(rows), MOST_SETTLED)
        ]
        commands = [
            settle.command(part, "succeeded", by_stream(held for _, held in rows)) for part, rows in known
        ]
        for (_, rows), reply in zip(
            known, self._cluster.run_many(commands, deadline_s=DEADLINE_S), strict=True
        ):
            if isinstance(reply, GangerError):
                self._retry_ns = now_ns + PATIENCE_NS
                continue
            for slot, held in rows:
                self._done[slot].add(held.id)

    def _release(self, now_ns: int) -> None:
        for place, entries in list(self._owed.items()):
            partition = self._find(place)
            if partition is None:
                del self._owed[place]
                continue
            try:
                outcomes = failing.release(
                    self._cluster,
                    partition,
                    self._consumer,
                    [(as_entry(partition, held), None) for held in entries],
                    deadline_s=DEADLINE_S,
                )
            except GangerError:
                self._retry_ns = now_ns + PATIENCE_NS
            else:
                self.released += outcomes.count(failing.Outcome.MOVED)
                del self._owed[place]


def as_entry(partition: Partition, held: Held) -> Entry:
    """Enough of an entry to name it in an operation that moves it as it stands."""
    return Entry(partition, held.stream, held.id.encode(), held.jid, held.type, BLANK, b"")


def _snapshot(page: Page) -> Snapshot | None:
    try:
        return page.snapshot()
    except PageGarbled:
        return None  # reported when its worker is buried

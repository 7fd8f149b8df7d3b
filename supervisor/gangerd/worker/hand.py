"""What a worker has in hand: the entries of its last claim and the successes whose settling is not answered.

Keeps the page true before anything happens (page.py), and says which settle and release commands are due. It
sends nothing itself: the loop puts the commands of several partitions and a claim into one trip.

Crash points. Before `hold` commits: the claim token in the page tells the host what to ask for. After it:
every entry is HELD, STARTED, DONE or TAKEN there, and the host settles each as its state says. Between the
reply of a settle and the next `hold`: entries stand as DONE that are settled; settling again finds them
gone."""

import time
from collections.abc import Iterable

from ganger.job import Entry
from gangerd.linux.shared_memory import lock_byte, unlock_byte
from gangerd.page import PageWriter
from gangerd.recorder import HALF_BYTES, MAX_HELD, EntryState, Held, page_offset

_GONE, _DONE, _TAKEN = int(EntryState.GONE), int(EntryState.DONE), int(EntryState.TAKEN)
_ENTRY_BYTES = 256
"""The most that one takes on the page, with the longest names that are allowed."""
_ROOM = min(MAX_HELD, HALF_BYTES // _ENTRY_BYTES)


class Hand:
    def __init__(self, page: PageWriter, recorder_fd: int, slot: int) -> None:
        self._page = page
        self._fd = recorder_fd
        self._lock_at = page_offset(slot)
        self.entries: list[Entry] = []
        self.done: list[tuple[int, Entry]] = []
        """Plain successes to be settled with the next trip, each with its place on the page."""
        self.some_taken = False
        """Entries of this batch were taken back, by the host or by us, and may not be released yet."""
        self._first = 0

    def room(self, most: int) -> int:
        """How many entries a claim may bring now."""
        return min(most, _ROOM - len(self.done))

    def take_up(self, entries: list[Entry]) -> None:
        """A claim's entries are ours; what is still unsettled stays on the page before them.

        Under the lock: a host that is just taking back the rest of the last batch would flip these instead,
        and nobody would know of it once the next batch has taken their place."""
        carried = [entry for _, entry in self.done]
        states = [EntryState.DONE] * len(carried) + [EntryState.HELD] * len(entries)
        shown = [held(entry) for entry in [*carried, *entries]]
        lock_byte(self._fd, self._lock_at, wait=True)
        try:
            self._page.hold(shown, states, time.monotonic_ns())
        finally:
            unlock_byte(self._fd, self._lock_at)
        self.done = list(enumerate(carried))
        self._first = len(carried)
        self.entries = entries

    def start(self, index: int) -> bool:
        """Make entry `index` the running one, unless the host took it back first. Who may have it is decided
        by a kernel lock: judged by a clock alone, jobs run twice."""
        lock_byte(self._fd, self._lock_at, wait=True)
        try:
            started = self._page.start(self._first + index)
        finally:
            unlock_byte(self._fd, self._lock_at)
        self.some_taken = self.some_taken or not started
        return started

    def succeeded(self, index: int) -> None:
        place = self._first + index
        self._page.states[place] = _DONE
        self.done.append((place, self.entries[index]))

    def gone(self, index: int) -> None:
        """The entry's end is in Redis (retried, buried, expired ...)."""
        self._page.states[self._first + index] = _GONE

    def settled(self, kept: list[tuple[int, Entry]]) -> None:
        """All that was done is settled in Redis but for `kept`."""
        waiting = {place for place, _ in kept}
        for place, _ in self.done:
            if place not in waiting:
                self._page.states[place] = _GONE
        self.done = kept

    def take_back(self) -> None:
        """What was never started is from now on not ours to start: see `taken`."""
        lock_byte(self._fd, self._lock_at, wait=True)
        try:
            self._page.take_back()
        finally:
            unlock_byte(self._fd, self._lock_at)
        self.some_taken = True

    def taken(self) -> list[Entry]:
        """What was taken back of this batch, by us or by a host that may have died before it released it."""
        states, first = self._page.states, self._first
        return [entry for place, entry in enumerate(self.entries, first) if states[place] & 0xFF == _TAKEN]

    def released(self, entries: list[Entry]) -> None:
        """These are back in Redis."""
        ids = {entry.id for entry in entries}
        for place, entry in enumerate(self.entries, self._first):
            if entry.id in ids:
                self._page.states[place] = _GONE
        self.some_taken = False


def held(entry: Entry) -> Held:
    """The entry as the page shows it."""
    partition = entry.partition
    return Held(
        partition.queue,
        partition.index,
        entry.stream,
        entry.id.decode(),
        entry.jid,
        entry.type,
        entry.state.attempts + 1,
    )


def by_stream(entries: Iterable[Entry]) -> dict[int, list[bytes]]:
    """Ids by stream index, of entries of one partition."""
    ids: dict[int, list[bytes]] = {}
    for entry in entries:
        ids.setdefault(entry.stream, []).append(entry.id)
    return ids


def by_partition(entries: Iterable[Entry]) -> list[list[Entry]]:
    """The entries grouped by partition, in order of appearance."""
    groups: dict[int, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(id(entry.partition), []).append(entry)
    return list(groups.values())

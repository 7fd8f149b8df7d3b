"""Ends what this host holds of jobs that somebody has cancelled.

The mark in the partition's memo is the fact; it names the delivery. A hint over the wake-up channel makes the
host act at once, and a renewal finds what no hint told. Which worker holds the entry is read off the pages: a
running one is ended by the master (freeze, look again, kill), a waiting one is taken back with its batch, and
the release honours the mark. The service calls `scan`.

Crash points. Hint lost, or this process gone before it told the master: the next renewal names the entry
again. The master gone before it acted: the lease is recovered, and recover.lua honours the mark. The job at
its end before it is killed: it has succeeded, and nobody is ended, as the master looks again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ganger.keys import Partition
from gangerd.messages import EndRun
from gangerd.page import Page, PageGarbled
from gangerd.recorder import EntryState
from gangerd.roles.loop import MS

INSIST_NS = 1_000 * MS
"""Between two words to the master about one run: the first may have found another ending under way."""
UNSEEN_NS = 1_000 * MS
"""How long an entry may be in no page: its worker may not have taken up the claim's reply yet."""
_OVER = (EntryState.DONE, EntryState.GONE)


@dataclass(slots=True)
class _Wanted:
    asked_ns: int
    told_ns: int = 0


class Cancels:
    """`tell` sends to the master; `take_back(slot)` makes unstarted entries of that worker go back."""

    def __init__(
        self, pages: Sequence[Page], tell: Callable[[EndRun], None], take_back: Callable[[int], None]
    ) -> None:
        self._pages = pages
        self._tell = tell
        self._take_back = take_back
        self._wanted: dict[tuple[str, int, str], _Wanted] = {}

    def asked(self, partition: Partition, id: bytes, now_ns: int) -> None:
        """This delivery is to be ended; perhaps not for the first time."""
        self._wanted.setdefault((partition.queue, partition.index, id.decode()), _Wanted(now_ns))

    def scan(self, now_ns: int) -> bool:
        """Do what can be done now; whether any is still to be seen to."""
        if not self._wanted:
            return False
        seen: set[tuple[str, int, str]] = set()
        for slot, page in enumerate(self._pages):
            if page.phase:
                seen |= self._look(slot, page, now_ns)
        for key, wanted in list(self._wanted.items()):
            if key not in seen and now_ns - wanted.asked_ns >= UNSEEN_NS:
                del self._wanted[key]
        return bool(self._wanted)

    def _look(self, slot: int, page: Page, now_ns: int) -> set[tuple[str, int, str]]:
        """See to what this page holds of the wanted; which of them it holds."""
        try:
            shown = page.snapshot()
        except PageGarbled:
            return set()
        found: set[tuple[str, int, str]] = set()
        for held, state in zip(shown.held, shown.states, strict=True):
            key = (held.queue, held.partition, held.id)
            wanted = self._wanted.get(key)
            if wanted is None:
                continue
            if state in _OVER:
                del self._wanted[key]
                continue
            found.add(key)
            if state == EntryState.HELD:
                self._take_back(slot)
            elif state == EntryState.STARTED and now_ns - wanted.told_ns >= INSIST_NS:
                wanted.told_ns = now_ns
                self._tell(EndRun(shown.incarnation, shown.run_seq))
        return found

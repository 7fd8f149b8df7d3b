"""Workers that hang outside any job: nothing of theirs is ever overdue, so their places would be lost.

A job that has ended can leave that behind: a thread in C that never gives the interpreter back. A worker
that is well changes its page every few seconds, idle or not, whether Redis answers or not. Pure: pages and
instants come in; like watch.py it counts from what it saw itself, never from the worker's stamps. Called by
duties.py.
"""

from dataclasses import dataclass, field

from gangerd.master.watch import SECOND
from gangerd.page import Page
from gangerd.recorder import Word

_TOLD = (Word.PHASE, Word.SINCE_NS, Word.BATCH, Word.HELD_AT_NS, Word.RUN_STARTED_NS, Word.CLAIM_OP)
Shown = tuple[int, ...]


@dataclass(slots=True)
class Stalls:
    """What each incarnation's page showed last, and since when it has shown that."""

    hung_s: float
    _seen: dict[str, tuple[Shown, int]] = field(default_factory=dict)

    def hangs(self, incarnation: str, page: Page, now_ns: int) -> bool:
        """True when this worker, in service, runs nothing and has shown no sign of life for too long."""
        if page.incarnation != incarnation or page.overdue_run()[0]:
            self._seen.pop(incarnation, None)
            return False
        shown = tuple(page.words[word] for word in _TOLD)
        before = self._seen.get(incarnation)
        if before is None or before[0] != shown:
            self._seen[incarnation] = (shown, now_ns)
            return False
        return now_ns - before[1] > self.hung_s * SECOND

    def moved(self) -> None:
        """The master was away itself, and perhaps all of them with it: it looks anew."""
        self._seen.clear()

    def keep(self, incarnations: set[str]) -> None:
        """The others are buried."""
        for gone in self._seen.keys() - incarnations:
            del self._seen[gone]

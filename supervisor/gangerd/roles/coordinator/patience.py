"""What a live page asks of its host at this moment: decided from its words, without copying it.

PURE: the caller reads the clock. A worker that gets on is left alone. One that has not begun anything new for
STALL_MS is taken at its word: what it has not started may run elsewhere (never judged by the clock alone: the
page's lock decides who has an entry), what it has finished is settled for it, so that a short job's end does
not wait for a long one's. Read by hand_back.py each scan.
"""

from dataclasses import dataclass

from gangerd.page import Page, Snapshot
from gangerd.recorder import EntryState, Phase, Word
from gangerd.roles.loop import MS

STALL_MS = 50
"""Nothing started for so long: the jobs behind it have waited enough."""
BATCH_MS = 250
"""A batch this old is taken back even from a worker that gets on: its guess of run times was far off."""
RENEW_AFTER_MS = 2_000
STUCK_MS = 60_000
"""A worker outside a job that has not moved for so long is not renewed any more: others get its entries."""

_HELD, _STARTED = int(EntryState.HELD), int(EntryState.STARTED)
_DONE, _TAKEN = int(EntryState.DONE), int(EntryState.TAKEN)
_LIVE = (EntryState.HELD, EntryState.STARTED, EntryState.TAKEN)


@dataclass(frozen=True, slots=True)
class Glance:
    """One cheap look: `batch` changes with each batch, `holds` says whether anything is in hand at all."""

    batch: int
    holds: bool
    take_back: bool = False
    release: bool = False
    settle: bool = False


def glance(page: Page, now_ns: int) -> Glance:
    """What to do about a page. Costs a few microseconds; a page in change gives a harmless answer, since
    every act on it is checked again where it happens."""
    words = page.words
    batch = words[Word.BATCH] >> 32
    kinds = {word & 0xFF for word in page.state_words()[1]}
    if not kinds & {_HELD, _STARTED, _DONE, _TAKEN}:
        return Glance(batch, False)
    moved_ns = max(words[Word.HELD_AT_NS], words[Word.RUN_STARTED_NS])
    stalled = now_ns - moved_ns >= STALL_MS * MS
    old = now_ns - words[Word.HELD_AT_NS] >= BATCH_MS * MS
    return Glance(
        batch,
        True,
        take_back=_HELD in kinds and (stalled or old),
        release=_TAKEN in kinds and stalled,
        settle=_DONE in kinds and stalled,
    )


def to_renew(seen: Snapshot, now_ns: int) -> list[int]:
    """Indices of the entries whose lease the host keeps up for this worker."""
    if now_ns - seen.held_at_ns < RENEW_AFTER_MS * MS:
        return []
    outside = seen.running is None and seen.phase != Phase.RUNNING
    if outside and now_ns - max(seen.since_ns, seen.held_at_ns, seen.run_started_ns) >= STUCK_MS * MS:
        return []
    return [index for index, state in enumerate(seen.states) if state in _LIVE]

"""Offers: where work of a limited queue waits and a worker could have it, a pass is got and laid out.

How many are offered is decided by what waits and who sleeps; a full limit is asked for again after a pause
that grows, one without servers after a longer one. warden.py calls, on its thread, and keeps what was got.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ganger.throttle.quorum import Refused
from gangerd import log
from gangerd.board import Board
from gangerd.linux import doorbell
from gangerd.page import Page
from gangerd.passes import Passes, PassState
from gangerd.recorder import Control
from gangerd.roles.coordinator.grants import Grant, Grants
from gangerd.roles.coordinator.limited_queue import FIRST_PAUSE_MS, PAUSE_MS, LimitedQueue

MS = 1_000_000
OFFER_MS = 100
"""How long an offered pass waits for a worker."""
WANTED_MS = 50
"""How long a worker that came by in vain counts as one that would take a pass."""
QUORUM_PAUSE_MS = 500
HASTE_MS = 3
BUSY = ("full", "rate")
"""Refusals that say no more than that a limit is used."""
_logger = log.get()


@dataclass(slots=True)
class Figures:
    """What has happened so far."""

    lost: int = 0
    offered: int = 0
    untaken: int = 0
    refused: dict[str, int] = field(default_factory=dict)


class Offers:
    """`keep(number, queue, grant)`: this pass has been laid out."""

    def __init__(
        self,
        board: Board,
        passes: Passes,
        pages: Sequence[Page],
        bell: int,
        grants: Grants,
        keep: Callable[[int, LimitedQueue, Grant], None],
        rng: random.Random,
    ) -> None:
        self._board = board
        self._passes = passes
        self._pages = pages
        self._bell = bell
        self._grants = grants
        self._keep = keep
        self._rng = rng
        self._turn = 0
        self.figures = Figures()

    def work(self, queue: LimitedQueue) -> int:
        """How much waits there."""
        queue.waiting = sum(1 for _ in self._board.waiting(queue.first, queue.count))
        return queue.waiting

    def make(self, waits: Sequence[LimitedQueue], now_ns: int) -> None:
        """Offer what these queues can use, and ring for it."""
        counts = self._passes.counts()
        offered = sum(count for (_, state), count in counts.items() if state == PassState.OFFERED)
        idle = self._idle() - offered
        self._turn += 1
        rung = 0
        for place in range(len(waits)):
            queue = waits[(self._turn + place) % len(waits)]
            if now_ns < queue.resume_ns:
                continue
            recent = now_ns - self._passes.wanted_ns(queue.line) < WANTED_MS * MS
            most = min(max(idle, 1 if recent else 0), queue.waiting)
            for _ in range(most - counts.get((queue.line, PassState.OFFERED), 0)):
                if not self._make_one(queue, now_ns):
                    break
                idle -= 1
                rung += 1
        if rung:
            doorbell.ring(self._bell, rung)

    def untaken(self, queue: LimitedQueue | None, now_ns: int) -> None:
        """A pass lay there in vain."""
        self.figures.untaken += 1
        if queue is not None:
            self._pause(queue, now_ns, OFFER_MS)

    def came_back(self, queue: LimitedQueue | None) -> None:
        """A permit is free again: a full limit may be asked for at once."""
        if queue is not None and queue.why in BUSY:
            queue.why, queue.resume_ns, queue.pause_ms = "", 0, FIRST_PAUSE_MS

    # ---- inside ------------------------------------------------------------------------------------------

    def _make_one(self, queue: LimitedQueue, now_ns: int) -> bool:
        outcome = self._grants.ask(queue.rules)
        if isinstance(outcome, Refused):
            self._refused(queue, outcome, now_ns)
            return False
        if queue.why not in ("", *BUSY):
            _logger.info(log.LIMITS_BACK, queue=queue.name)
        queue.why, queue.pause_ms = "", FIRST_PAUSE_MS
        uses = outcome.uses()
        number = self._passes.offer(queue.line, outcome.stubs(), outcome.valid_ns(), now_ns, uses=uses)
        if number is None:
            self._grants.release(outcome, uses)
            self._pause(queue, now_ns, OFFER_MS)
            return False
        self._keep(number, queue, outcome)
        self.figures.offered += 1
        return True

    def _refused(self, queue: LimitedQueue, refused: Refused, now_ns: int) -> None:
        why = refused.why
        if why != queue.why and why not in BUSY:
            servers = self._grants.servers.problems()
            _logger.warning(log.LIMITS_STAND, queue=queue.name, reason=why, servers=servers)
        queue.why = why
        self.figures.refused[why] = self.figures.refused.get(why, 0) + 1
        if why == "full":
            self._pause(queue, now_ns, queue.pause_ms)
            queue.pause_ms = min(2 * queue.pause_ms, PAUSE_MS)
        elif why == "rate":
            # The servers have said when; not all hosts come at once.
            queue.resume_ns = now_ns + int((refused.wait_ms + self._rng.uniform(0, HASTE_MS)) * MS)
        else:
            self._pause(queue, now_ns, min(refused.wait_ms or QUORUM_PAUSE_MS, QUORUM_PAUSE_MS))

    def _pause(self, queue: LimitedQueue, now_ns: int, ms: float) -> None:
        queue.resume_ns = now_ns + int(ms * self._rng.uniform(0.5, 1.0) * MS)

    def _idle(self) -> int:
        """Workers that sleep and may claim."""
        return sum(
            self._board.is_idle(slot) and bool(page.control() & Control.MAY_CLAIM)
            for slot, page in enumerate(self._pages)
        )

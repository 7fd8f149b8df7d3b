"""Offers: where work of a limited queue, or of a lane in it, waits and a worker could have it, a pass is
got and laid out.

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
from gangerd.passes import Passes, PassState, Track
from gangerd.recorder import Control
from gangerd.roles.coordinator.grants import Grant, Grants
from gangerd.roles.coordinator.lane_rules import digest, track_of
from gangerd.roles.coordinator.limited_queue import BUSY, FIRST_PAUSE_MS, PAUSE_MS, LimitedQueue
from gangerd.roles.coordinator.roster import Roster, Waiting

MS = 1_000_000
OFFER_MS = 100
"""How long an offered pass waits for a worker."""
WANTED_MS = 50
"""How long a worker that came by in vain counts as one that would take a pass."""
QUORUM_PAUSE_MS = 500
HASTE_MS = 3
HEARD_MS = 1000
"""The longest pause of a host that is woken in its turn."""
MOST_REFUSED = 8
"""Lanes that may be found full in one tick: the next tick goes on behind them."""
_logger = log.get()


@dataclass(slots=True)
class Figures:
    """What has happened so far."""

    lost: int = 0
    offered: int = 0
    untaken: int = 0
    refused: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Held:
    """A type whose limit for all its jobs is used up: its lanes wait together."""

    resume_ns: int = 0
    pause_ms: float = FIRST_PAUSE_MS


class Offers:
    """`keep(number, queue, track, grant)`: this pass has been laid out."""

    def __init__(
        self,
        board: Board,
        passes: Passes,
        pages: Sequence[Page],
        bell: int,
        grants: Grants,
        keep: Callable[[int, LimitedQueue, Track | None, Grant], None],
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
        self._refusals = 0
        self._held: dict[str, _Held] = {}
        self.roster = Roster()
        self.figures = Figures()

    def work(self, queue: LimitedQueue) -> int:
        """In how many partitions something waits that needs a pass, lanes left out. From any thread."""
        queue.waiting = sum(1 for _ in self._board.waiting(queue.first, queue.count)) if queue.rules else 0
        return queue.waiting

    def resume_ns(self, queue: LimitedQueue) -> int:
        """Before when nothing of it need be asked for."""
        if queue.waiting:
            return queue.resume_ns
        lanes = [
            max(waiting.resume_ns, held.resume_ns if (held := self._held.get(waiting.lane.type)) else 0)
            for waiting in self.roster.every(queue.first, queue.count)
        ]
        return max(queue.resume_ns, min(lanes, default=0))

    def make(self, waits: Sequence[LimitedQueue], now_ns: int) -> None:
        """Offer what these queues can use, and ring for it."""
        plain, laned = self._offered(laned=False), self._offered(laned=True)
        idle = self._idle() - sum(plain.values()) - sum(laned.values())
        self._turn += 1
        rung = self._refusals = 0
        for place in range(len(waits)):
            queue = waits[(self._turn + place) % len(waits)]
            if now_ns < queue.resume_ns:
                continue
            recent = now_ns - self._passes.wanted_ns(queue.line) < WANTED_MS * MS
            could = max(idle, 1 if recent else 0)
            made = self._make_plain(queue, min(could, queue.waiting) - plain.get(queue.line, 0), now_ns)
            made += self._make_for_lanes(queue, could - made - laned.get(queue.line, 0), now_ns)
            idle -= made
            rung += made
        if rung:
            doorbell.ring(self._bell, rung)

    def untaken(self, queue: LimitedQueue | None, track: Track | None, now_ns: int) -> None:
        """A pass lay there in vain."""
        self.figures.untaken += 1
        if track is not None:
            self.roster.put_off(track.place, _lane_id(track), now_ns, OFFER_MS)
        elif queue is not None:
            self._pause(queue, now_ns, OFFER_MS)

    def came_back(self, queue: LimitedQueue | None, track: Track | None) -> None:
        """Permits are free again: who found a limit full may ask at once."""
        if queue is None:
            return
        if queue.why in BUSY:
            queue.why, queue.resume_ns, queue.pause_ms = "", 0, FIRST_PAUSE_MS
        if track is not None:
            self._held = {kind: held for kind, held in self._held.items() if digest(kind) != track.kind}
            self.roster.freed(f"{track.key:016x}")

    def woken(self, queue: LimitedQueue, names: Sequence[str]) -> None:
        """Of these limits, or of a limit for one key, a permit is kept for this host a moment."""
        for name in names:
            limit, _, key = name.rpartition(":")
            if name in queue.rules:
                self.came_back(queue, None)
            elif name in queue.lane_rules:
                self._held.pop(queue.lane_rules[name].type, None)
            elif limit in queue.lane_rules:
                self.roster.freed(key)

    # ---- inside ------------------------------------------------------------------------------------------

    def _make_plain(self, queue: LimitedQueue, most: int, now_ns: int) -> int:
        made = 0
        while made < most and self._make_one(queue, None, now_ns):
            made += 1
        return made

    def _make_for_lanes(self, queue: LimitedQueue, most: int, now_ns: int) -> int:
        """One for each lane whose turn it is; one that is full holds up none behind it."""
        made = 0
        if most <= 0 or now_ns < queue.resume_ns:
            return made
        for waiting in self.roster.next(queue.first, queue.count, now_ns):
            held = self._held.get(waiting.lane.type)
            if held is not None and now_ns < held.resume_ns:
                continue
            if self._make_one(queue, waiting, now_ns):
                self._held.pop(waiting.lane.type, None)
                self.roster.served(waiting)
                made += 1
            else:
                self._refusals += 1
            if made >= most or self._refusals >= MOST_REFUSED or now_ns < queue.resume_ns:
                break
        return made

    def _make_one(self, queue: LimitedQueue, waiting: Waiting | None, now_ns: int) -> bool:
        track = track_of(waiting.place, waiting.lane) if waiting is not None else None
        outcome = self._grants.ask(queue.rules_for(track))
        if isinstance(outcome, Refused):
            self._refused(queue, waiting, outcome, now_ns)
            return False
        if queue.why not in ("", *BUSY):
            _logger.info(log.LIMITS_BACK, queue=queue.name)
        queue.why, queue.pause_ms = "", FIRST_PAUSE_MS
        uses = outcome.uses()
        number = self._passes.offer(
            queue.line, outcome.stubs(), outcome.valid_ns(), now_ns, track=track, uses=uses
        )
        if number is None:
            self._grants.release(outcome, uses)
            self._pause(queue, now_ns, OFFER_MS)
            return False
        self._keep(number, queue, track, outcome)
        self.figures.offered += 1
        return True

    def _refused(self, queue: LimitedQueue, waiting: Waiting | None, refused: Refused, now_ns: int) -> None:
        why = refused.why
        if why in BUSY and waiting is not None and refused.name not in queue.rules:
            self.figures.refused[why] = self.figures.refused.get(why, 0) + 1
            self._put_off(queue, waiting, refused, now_ns)
            return
        if why != queue.why and why not in BUSY:
            servers = self._grants.servers.problems()
            _logger.warning(log.LIMITS_STAND, queue=queue.name, reason=why, servers=servers)
        queue.why = why
        self.figures.refused[why] = self.figures.refused.get(why, 0) + 1
        if why == "full":
            self._pause(queue, now_ns, queue.pause_ms)
            queue.pause_ms = min(2 * queue.pause_ms, self._longest_ms())
        elif why == "rate":
            # The servers have said when; not all hosts come at once.
            queue.resume_ns = now_ns + int((refused.wait_ms + self._rng.uniform(0, HASTE_MS)) * MS)
        else:
            self._pause(queue, now_ns, min(refused.wait_ms or QUORUM_PAUSE_MS, QUORUM_PAUSE_MS))

    def _put_off(self, queue: LimitedQueue, waiting: Waiting, refused: Refused, now_ns: int) -> None:
        if refused.name in queue.lane_rules and not queue.lane_rules[refused.name].limit_key:
            self._hold(self._held.setdefault(waiting.lane.type, _Held()), refused, now_ns)
        elif refused.why == "full":
            self.roster.put_off_longer(waiting, now_ns, self._rng.uniform(0.5, 1.0), self._longest_ms())
        else:
            place, wait_ms = waiting.place, max(refused.wait_ms, 1) + self._rng.uniform(0, HASTE_MS)
            self.roster.put_off(place, waiting.lane.id, now_ns, wait_ms, dry=True)

    def _hold(self, held: _Held, refused: Refused, now_ns: int) -> None:
        """All lanes of its type: one limit is used up for all of them."""
        pause_ms = held.pause_ms * self._rng.uniform(0.5, 1.0)
        if refused.why == "rate":
            pause_ms = refused.wait_ms + self._rng.uniform(0, HASTE_MS)
        else:
            held.pause_ms = min(2 * held.pause_ms, self._longest_ms())
        held.resume_ns = now_ns + int(pause_ms * MS)

    def _longest_ms(self) -> float:
        """Between two times that a full limit is asked for: this host may be sure to be woken."""
        return HEARD_MS if self._grants.is_heard else PAUSE_MS

    def _pause(self, queue: LimitedQueue, now_ns: int, ms: float) -> None:
        queue.resume_ns = now_ns + int(ms * self._rng.uniform(0.5, 1.0) * MS)

    def _offered(self, *, laned: bool) -> dict[int, int]:
        """By line: passes that lie there."""
        counts = self._passes.counts(laned=laned)
        return {line: count for (line, state), count in counts.items() if state == PassState.OFFERED}

    def _idle(self) -> int:
        """Workers that sleep and may claim."""
        return sum(
            self._board.is_idle(slot) and bool(page.control() & Control.MAY_CLAIM)
            for slot, page in enumerate(self._pages)
        )


def _lane_id(track: Track) -> str:
    return f"{track.lane:016x}"

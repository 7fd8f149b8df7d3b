"""Keeps the host's table of passes: offers one where work of a limited queue waits and a worker could have
it, takes back what is not needed, renews the rest. The host's one contender for permits.

It runs on a thread of its own (limits.py): a server for semaphores that hangs must not delay the renewal of
leases. A full limit is asked for again after a pause that grows to PAUSE_MS, and at once after a release on
this host. Nothing is held for work that is not there.

Crash points. A worker dies with a pass: its death, or its page, says so, and the pass is given back within a
tick. It dies while it takes one: the lock falls, the row is still offered. This process dies: rows stay; the
successor takes them over with their permits, and workers claim with them until their time is over. The host
dies: its permits end with their TTL. Servers away: nothing new is granted, permits end with their validity,
limited queues stand still, and it goes on by itself when a quorum is back.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ganger.throttle.quorum import Refused
from gangerd import log
from gangerd.board import Board
from gangerd.linux import doorbell
from gangerd.page import Page, PageGarbled
from gangerd.passes import Passes, PassState, Row
from gangerd.recorder import Control, Phase, Word
from gangerd.roles.coordinator.grants import Grant, Grants, Rules

MS = 1_000_000
TICK_MS = 5
REST_MS = 500
OFFER_MS = 100
"""How long an offered pass waits for a worker."""
WANTED_MS = 50
"""How long a worker that came by in vain counts as one that would take a pass."""
FIRST_PAUSE_MS, PAUSE_MS = 10, 150
QUORUM_PAUSE_MS = 500
RENEWALS = 4
"""In the life of a permit."""
HASTE_MS = 250
"""Between two renewals while servers don't answer."""
_logger = log.get()


@dataclass(slots=True)
class LimitedQueue:
    """One line of the board whose workers need passes. `why`: what the last refusal was, "" for none."""

    name: str
    line: int
    first: int
    count: int
    rules: Rules
    why: str = ""
    resume_ns: int = 0
    pause_ms: float = FIRST_PAUSE_MS
    waiting: int = 0
    """Partitions in which work waits."""


@dataclass(slots=True)
class _Keeping:
    """A pass that this process knows the permits of."""

    queue: str
    grant: Grant
    lost: bool = False
    outdated: bool = False
    """A limit has become tighter, or there is one more: renewed for the job that runs by it, no other."""


@dataclass(slots=True)
class Figures:
    """What has happened so far."""

    lost: int = 0
    offered: int = 0
    untaken: int = 0
    refused: dict[str, int] = field(default_factory=dict)


class Warden:
    """`on_lost(worker, slot, queue)`: the permits of this worker's pass are not its own any more. Not
    thread-safe but for `died`."""

    def __init__(
        self,
        board: Board,
        passes: Passes,
        pages: Sequence[Page],
        bell: int,
        grants: Grants,
        on_lost: Callable[[int, int, str], None],
        rng: random.Random,
    ) -> None:
        self._board = board
        self._passes = passes
        self._pages = pages
        self._bell = bell
        self._grants = grants
        self._on_lost = on_lost
        self._rng = rng
        self._kept: dict[int, _Keeping] = {}
        self._dead: set[int] = set()
        self._renew_ns = 0
        self._turn = 0
        self._changed = False
        self.queues: dict[int, LimitedQueue] = {}
        self.figures = Figures()
        self.closing = False
        """Offer nothing any more, and give back what no living worker holds, in one last tick."""
        self.over = False

    def limit(self, queues: Mapping[int, LimitedQueue]) -> None:
        """These lines are limited, by these rules, from now on. What is known of one is kept. From any
        thread."""
        for line, queue in queues.items():
            known = self.queues.get(line)
            if known is not None and known.rules == queue.rules:
                queue.why, queue.resume_ns, queue.pause_ms = known.why, known.resume_ns, known.pause_ms
        self.queues = dict(queues)
        self._changed = True

    def adopt(self, now_ns: int) -> None:
        """Take over what a predecessor left, at the start."""
        for number, row in self._passes.rows():
            queue = self.queues.get(row.line)
            grant = self._grants.adopt(row.stubs, queue.rules if queue else {})
            self._kept[number] = _Keeping(queue.name if queue else "", grant)
        self._renew_ns, self._changed = now_ns, True

    def died(self, worker: int) -> None:
        """A worker is gone. From any thread."""
        self._dead.add(worker)

    def tick(self, now_ns: int) -> float:
        """Do what is due; in how many ms to come again."""
        self.over = self.closing
        if self._changed:
            self._outdate()
        self._collect(now_ns)
        if now_ns >= self._renew_ns:
            self._renew_all(now_ns)
        if self.closing:
            return TICK_MS
        waits = [queue for queue in self.queues.values() if self._work(queue)]
        if waits:
            self._offer(waits, now_ns)
        return TICK_MS if self._kept or waits else REST_MS

    def wanted(self) -> bool:
        """Whether work of a limited queue waits. From any thread."""
        return any(self._work(queue) for queue in list(self.queues.values()))

    # ---- giving back -----------------------------------------------------------------------------------

    def _outdate(self) -> None:
        """What was granted by wider rules than those in force is for the job under way alone: a worker that
        never ran out of work would keep it for ever."""
        self._changed = False
        for number, row in self._passes.rows():
            kept, queue = self._kept.get(number), self.queues.get(row.line)
            if kept is not None and queue is not None and not kept.grant.meets(queue.rules):
                kept.outdated = True
                self._passes.expire(number)

    def _collect(self, now_ns: int) -> None:
        for number, row in self._passes.rows():
            queue = self.queues.get(row.line)
            if row.state == PassState.OFFERED:
                late = now_ns - row.since_ns > OFFER_MS * MS or now_ns >= row.valid_ns
                if not (late or self.closing or queue is None) or not self._passes.withdraw(number):
                    continue
                self.figures.untaken += 1
                if queue is not None:
                    self._pause(queue, now_ns, OFFER_MS)
            elif row.state == PassState.TAKEN:
                if not self._gone(row):
                    continue
                self._passes.spend(number)
            self._give_back(number, queue)

    def _give_back(self, number: int, queue: LimitedQueue | None) -> None:
        kept = self._kept.pop(number, None)
        if kept is not None:
            self._grants.release(kept.grant)
        self._passes.free(number)
        if queue is not None and queue.why == "full":
            queue.why, queue.resume_ns, queue.pause_ms = "", 0, FIRST_PAUSE_MS

    def _gone(self, row: Row) -> bool:
        """Is the worker that took it dead, or another in its place?"""
        if row.worker in self._dead or row.slot >= len(self._pages):
            return True
        page = self._pages[row.slot]
        return page.phase == Phase.VACANT or page.words[Word.INCARNATION] != row.worker

    # ---- renewing --------------------------------------------------------------------------------------

    def _renew_all(self, now_ns: int) -> None:
        rows = dict(self._passes.rows())
        renew_ns = self._grants.ttl_ms * MS // RENEWALS
        due = {number: kept for number, kept in self._kept.items() if number in rows and not kept.lost}
        for number, kept in due.items():
            holder = self._grants.holder(rows[number].worker, self._jid(rows[number]))
            for permit in kept.grant.permits.values():
                permit.holder = holder
        self._grants.renew(kept.grant for kept in due.values())
        self._renew_ns = now_ns + renew_ns
        for number, kept in due.items():
            valid_ns = kept.grant.valid_ns()
            self._passes.renewed(number, kept.grant.stubs(), 0 if kept.outdated else valid_ns)
            if kept.grant.permits and valid_ns < now_ns + renew_ns:
                self._renew_ns = now_ns + min(HASTE_MS * MS, renew_ns)
            if kept.grant.is_lost():
                self._lose(kept, rows[number])
        self._dead.intersection_update({row.worker for row in rows.values()})

    def _lose(self, kept: _Keeping, row: Row) -> None:
        kept.lost = True
        if row.state == PassState.TAKEN:
            self.figures.lost += 1
            self._on_lost(row.worker, row.slot, kept.queue)

    def _jid(self, row: Row) -> str:
        if row.state != PassState.TAKEN or row.slot >= len(self._pages):
            return ""
        try:
            seen = self._pages[row.slot].snapshot()
        except PageGarbled:
            return ""
        return seen.held[seen.running].jid if seen.running is not None else ""

    # ---- offering --------------------------------------------------------------------------------------

    def _work(self, queue: LimitedQueue) -> int:
        queue.waiting = sum(1 for _ in self._board.waiting(queue.first, queue.count))
        return queue.waiting

    def _offer(self, waits: list[LimitedQueue], now_ns: int) -> None:
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
                if not self._offer_one(queue, now_ns):
                    break
                idle -= 1
                rung += 1
        if rung:
            doorbell.ring(self._bell, rung)

    def _offer_one(self, queue: LimitedQueue, now_ns: int) -> bool:
        outcome = self._grants.ask(queue.rules)
        if isinstance(outcome, Refused):
            self._refused(queue, outcome, now_ns)
            return False
        if queue.why not in ("", "full"):
            _logger.info(log.LIMITS_BACK, queue=queue.name)
        queue.why, queue.pause_ms = "", FIRST_PAUSE_MS
        stubs, valid_ns = outcome.stubs(), outcome.valid_ns()
        number = self._passes.offer(queue.line, stubs, valid_ns, now_ns)
        if number is None:
            self._grants.release(outcome)
            self._pause(queue, now_ns, OFFER_MS)
            return False
        self._kept[number] = _Keeping(queue.name, outcome)
        self.figures.offered += 1
        return True

    def _refused(self, queue: LimitedQueue, refused: Refused, now_ns: int) -> None:
        why = refused.why
        if why != queue.why and why != "full":
            servers = self._grants.servers.problems()
            _logger.warning(log.LIMITS_STAND, queue=queue.name, reason=why, servers=servers)
        queue.why = why
        self.figures.refused[why] = self.figures.refused.get(why, 0) + 1
        if why == "full":
            self._pause(queue, now_ns, queue.pause_ms)
            queue.pause_ms = min(2 * queue.pause_ms, PAUSE_MS)
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

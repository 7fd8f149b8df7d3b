"""Keeps the host's table of passes: has one offered where work of a limited queue waits (offers.py), takes
back what is not needed, renews the rest. The host's one contender for permits.

It runs on a thread of its own (limits.py): a server for semaphores that hangs must not delay the renewal of
leases. A full limit is asked for again at once after a release on this host. Nothing is held for work that is
not there.

Crash points. A worker dies with a pass: its death, or its page, says so, and the pass is given back within a
tick. It dies while it takes one: the lock falls, the row is still offered. This process dies: rows stay; the
successor takes them over with their permits, and workers claim with them until their time is over. The host
dies: its permits end with their TTL. Servers away: nothing new is granted, permits end with their validity,
limited queues stand still, and it goes on by itself when a quorum is back.
"""

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ganger.operations.lanes import Lane
from gangerd.board import Board
from gangerd.page import Page, PageGarbled
from gangerd.passes import Passes, PassState, Row, Track
from gangerd.recorder import Phase, Word
from gangerd.roles.coordinator.grants import Grant, Grants, Rules
from gangerd.roles.coordinator.lane_rules import serves, track_of
from gangerd.roles.coordinator.limited_queue import LimitedQueue
from gangerd.roles.coordinator.offers import OFFER_MS, Offers

MS = 1_000_000
TICK_MS = 5
REST_MS = 500
RENEWALS = 4
"""In the life of a permit."""
HASTE_MS = 250
"""Between two renewals while servers don't answer."""


@dataclass(slots=True)
class _Keeping:
    """A pass that this process knows the permits of."""

    queue: str
    grant: Grant
    is_ending: bool = True
    """A job whose permit is lost is ended."""
    lost: bool = False
    outdated: bool = False
    """A limit has become tighter, or there is one more: renewed for the job that runs by it, no other."""
    drained: bool = False
    """The roster knows that the last job of its lane was seen."""


class Warden:
    """`on_lost(worker, slot, queue, is_ending)`: the permits of this worker's pass are not its own any more;
    whether its job is to be ended for that. Not thread-safe but where it says so."""

    def __init__(
        self,
        board: Board,
        passes: Passes,
        pages: Sequence[Page],
        bell: int,
        grants: Grants,
        on_lost: Callable[[int, int, str, bool], None],
        rng: random.Random,
    ) -> None:
        self._passes = passes
        self._pages = pages
        self._grants = grants
        self._offers = Offers(board, passes, pages, bell, grants, self._keep, rng)
        self._on_lost = on_lost
        self._kept: dict[int, _Keeping] = {}
        self._dead: set[int] = set()
        self._found: deque[tuple[int, str, Sequence[Lane], str]] = deque()
        self._renew_ns = 0
        self._changed = False
        self.queues: dict[int, LimitedQueue] = {}
        self.figures = self._offers.figures
        self.closing = False
        """Offer nothing any more, and give back what no living worker holds, in one last tick."""
        self.over = False

    def limit(self, queues: Mapping[int, LimitedQueue]) -> None:
        """These lines are limited, by these rules, from now on. What is known of one is kept. From any
        thread."""
        for line, queue in queues.items():
            known = self.queues.get(line)
            if known is not None and (known.rules, known.lane_rules) == (queue.rules, queue.lane_rules):
                queue.why, queue.resume_ns, queue.pause_ms = known.why, known.resume_ns, known.pause_ms
        self.queues = dict(queues)
        self._changed = True

    def adopt(self, now_ns: int) -> None:
        """Take over what a predecessor left, at the start."""
        for number, row in self._passes.rows():
            queue = self.queues.get(row.line)
            rules = queue.rules_for(row.track) if queue else {}
            grant = self._grants.adopt(row.stubs, rules)
            self._kept[number] = _Keeping(queue.name if queue else "", grant, _is_ending(rules))
        self._renew_ns, self._changed = now_ns, True

    def serves_lanes(self, place: int) -> bool:
        """Whether this index of the board is a partition whose lanes we give passes for. From any thread."""
        return any(
            queue.first <= place < queue.first + queue.count and bool(queue.lane_rules)
            for queue in list(self.queues.values())
        )

    def died(self, worker: int) -> None:
        """A worker is gone. From any thread."""
        self._dead.add(worker)

    def found(self, place: int, after: str, lanes: Sequence[Lane], upto: str) -> None:
        """A look at lanes has found these; see Roster.found. From any thread."""
        self._found.append((place, after, lanes, upto))

    def tick(self, now_ns: int) -> float:
        """Do what is due; in how many ms to come again."""
        self.over = self.closing
        while self._found:
            place, after, lanes, upto = self._found.popleft()
            self._offers.roster.found(place, after, self._ours(place, lanes), upto)
        if self._changed:
            self._outdate()
        self._collect(now_ns)
        if turns := self._grants.turns():
            for queue in self.queues.values():
                self._offers.woken(queue, turns)
        if now_ns >= self._renew_ns:
            self._renew_all(now_ns)
        if self.closing:
            return TICK_MS
        roster = self._offers.roster
        waits = [
            queue
            for queue in self.queues.values()
            if self._offers.work(queue) or roster.waiting(queue.first, queue.count)
        ]
        if waits:
            self._offers.make(waits, now_ns)
        if self._kept or not waits:
            return TICK_MS if self._kept else REST_MS
        pause_ms = (min(map(self._offers.resume_ns, waits)) - now_ns) / MS
        return min(max(TICK_MS, pause_ms), REST_MS)

    def wanted(self) -> bool:
        """Whether work of a limited queue waits. From any thread."""
        return bool(self._found) or any(self._offers.work(queue) for queue in list(self.queues.values()))

    # ---- giving back -----------------------------------------------------------------------------------

    def _outdate(self) -> None:
        """What was granted by wider rules than those in force is for the job under way alone: a worker that
        never ran out of work would keep it for ever."""
        self._changed = False
        for number, row in self._passes.rows():
            kept, queue = self._kept.get(number), self.queues.get(row.line)
            if kept is None or queue is None:
                continue
            is_ours = row.track is None or serves(queue.lane_rules)(row.track)
            if not is_ours or not kept.grant.meets(queue.rules_for(row.track)):
                kept.outdated = True
                self._passes.expire(number)
        self._offers.roster.keep(lambda place, lane: bool(self._ours(place, [lane])))

    def _ours(self, place: int, lanes: Sequence[Lane]) -> list[Lane]:
        """Those whose limits this host knows: another one may know more of them."""
        for queue in self.queues.values():
            if queue.first <= place < queue.first + queue.count:
                is_ours = serves(queue.lane_rules)
                return [lane for lane in lanes if is_ours(track_of(place, lane))]
        return []

    def _collect(self, now_ns: int) -> None:
        for number, row in self._passes.rows():
            queue = self.queues.get(row.line)
            if row.drained and row.track is not None:
                self._drained(number, row.track)
            if row.state == PassState.OFFERED:
                late = now_ns - row.since_ns > OFFER_MS * MS or now_ns >= row.valid_ns
                if not (late or self.closing or queue is None) or not self._passes.withdraw(number):
                    continue
                self._offers.untaken(queue, row.track, now_ns)
            elif row.state == PassState.TAKEN:
                if not self._gone(row):
                    continue
                self._passes.spend(number)
            self._give_back(number, queue, row.track)

    def _drained(self, number: int, track: Track) -> None:
        """Once: a later look may find new jobs in the lane while the last one still runs."""
        kept = self._kept.get(number)
        if kept is not None and not kept.drained:
            kept.drained = True
            self._offers.roster.drained(track.place, f"{track.lane:016x}")

    def _give_back(self, number: int, queue: LimitedQueue | None, track: Track | None) -> None:
        kept = self._kept.pop(number, None)
        if kept is not None:
            self._grants.release(kept.grant, self._passes.uses(number))
        self._passes.free(number)
        self._offers.came_back(queue, track)

    def _keep(self, number: int, queue: LimitedQueue, track: Track | None, grant: Grant) -> None:
        self._kept[number] = _Keeping(queue.name, grant, _is_ending(queue.rules_for(track)))

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
            if kept.grant.permits and kept.grant.held_ns() < now_ns + renew_ns:
                self._renew_ns = now_ns + min(HASTE_MS * MS, renew_ns)
            if kept.grant.is_lost():
                self._lose(kept, rows[number])
        self._dead.intersection_update({row.worker for row in rows.values()})

    def _lose(self, kept: _Keeping, row: Row) -> None:
        kept.lost = True
        if row.state == PassState.TAKEN:
            self.figures.lost += 1
            self._on_lost(row.worker, row.slot, kept.queue, kept.is_ending)

    def _jid(self, row: Row) -> str:
        if row.state != PassState.TAKEN or row.slot >= len(self._pages):
            return ""
        try:
            seen = self._pages[row.slot].snapshot()
        except PageGarbled:
            return ""
        return seen.held[seen.running].jid if seen.running is not None else ""


def _is_ending(rules: Rules) -> bool:
    return any(limit.on_lost == "end" for limit in rules.values())

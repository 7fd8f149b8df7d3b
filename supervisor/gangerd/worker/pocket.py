"""The pass that this worker holds, if any: without one it claims nothing from a limited queue.

It is kept from job to job while the queue has work and the worker stays with it, and spent otherwise: an idle
worker holds none. The worker loop and sight.py call.

Crash points. Died with a pass, before the claim, in the job or after it: the row still names this worker, and
the coordinator frees it when it hears of the death; what a claim under way had drawn counts as used. The
coordinator gone: passes are not renewed, and one whose time is over is not claimed with any more."""

import time

from gangerd.passes import UNBOUND, Passes, Track


class Pocket:
    """`line` is the limited queue (a number of the board's directory) that the pass in hand is for, or -1;
    `track` the lane, None when it is for none."""

    def __init__(self, passes: Passes, slot: int, incarnation: str) -> None:
        self._passes = passes
        self._slot = slot
        self._worker = int(incarnation, 16)
        self._number = -1
        self.line = -1
        self.track: Track | None = None
        self._drained = False

    def admits(self, line: int) -> bool:
        """May this worker claim there now, with the pass in hand or with one that lies there? The coordinator
        learns that it was asked for."""
        if line == self.line and self.track is None and self.is_valid():
            return True
        if self._passes.is_offered(line):
            return True
        self._passes.want(line, now_ns())
        return False

    def admits_to_lane(self, line: int) -> bool:
        """The same for a lane of that queue, whichever."""
        if self._passes.is_offered(line, laned=True):
            return True
        self._passes.want(line, now_ns())
        return self._stays(line)

    def admitted_to_lane(self, line: int) -> Track | None:
        """Have a pass for a lane of this queue in hand; which lane. One that lies there comes before that in
        hand, so that lanes take turns."""
        if not self._passes.is_offered(line, laned=True) and self._stays(line):
            return self.track
        self.spend()
        taken = self._passes.take(line, self._slot, self._worker, laned=True)
        if taken is None:
            return None
        self._number, self.line, self.track = taken, line, self._passes.track(taken)
        if not self.is_valid():
            self.spend()
        return self.track

    def admitted(self, line: int) -> bool:
        """Have a pass for this queue in hand, and no other; False when there is none to be had. -1: for a
        queue without limits."""
        if line == self.line and self.track is None and (line < 0 or self.is_valid()):
            return True
        self.spend()
        if line < 0:
            return True
        taken = self._passes.take(line, self._slot, self._worker)
        if taken is None:
            return False
        self._number, self.line = taken, line
        if not self.is_valid():
            self.spend()
        return self.line >= 0

    def is_valid(self) -> bool:
        """Whether the pass in hand may be claimed with."""
        return self.may_start() and self._passes.uses(self._number) > 0

    def may_start(self) -> bool:
        """Whether what was claimed by it may begin: its permits hold, and its tokens are fresh."""
        return now_ns() < self._passes.valid_ns(self._number)

    def draw(self, most: int) -> int:
        """Before a claim leaves: how many jobs it may bring, `most` at most. They count as begun until
        `put_back` says otherwise."""
        if self.line < 0 or (uses := self._passes.uses(self._number)) == UNBOUND:
            return most
        drawn = min(most, uses)
        self._passes.set_uses(self._number, uses - drawn)
        return drawn

    def put_back(self, count: int) -> None:
        """So many of those drawn have brought no job, or one that was not begun."""
        if self.line >= 0 and count and (uses := self._passes.uses(self._number)) != UNBOUND:
            self._passes.set_uses(self._number, uses + count)

    def spend(self) -> None:
        """Not needed any more."""
        if self.line >= 0:
            self._passes.spend(self._number)
            self._number = self.line = -1
            self.track, self._drained = None, False

    def saw_last(self) -> None:
        """The claim has left nothing in the lane: whoever else has a pass for it would come in vain."""
        if self.track is not None:
            self._drained = True
            self._passes.saw_last(self._number)

    def _stays(self, line: int) -> bool:
        return line == self.line and self.track is not None and not self._drained and self.is_valid()


def now_ns() -> int:
    """On the clock that passes are timed by."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

"""Who is the leader, by one key with a time to live; this side believes in it a little less long than Redis.

The lock only saves work: every duty is compare-and-set, so two leaders do no harm. So when the node that
keeps it is out of reach for longer than anybody's leadership lasts, each scheduler leads: due jobs and lost
leases on the other nodes must not wait for that one. Its holder is the master's incarnation, so that a
replaced scheduler of the same host goes on at once. Loss is noticed by the clock, without asking: whoever
could not renew in time is not the leader any more.
"""

import contextlib
import time

from ganger.cluster import Cluster
from ganger.errors import GangerError
from ganger.keys import Control
from ganger.operations import control
from gangerd import log

TTL_MS = 3_000
MARGIN_S = 0.5
"""How much earlier than the key's end we stop, for what is under way and for clocks that run apart."""
DEADLINE_S = 0.5
UNTOLD_S = 2.5
"""How long a leadership lasts that nobody could grant or refuse: until the next rounds have asked again."""
_logger = log.get()


class Leadership:
    def __init__(self, cluster: Cluster, keys: Control, holder: str) -> None:
        self._cluster = cluster
        self._keys = keys
        self._holder = holder
        self._until_s = 0.0
        self._told = False
        self._silent_since_s: float | None = None

    def seek(self) -> bool:
        """Become or stay the leader; whether we are it. To be called each second."""
        asked_s = time.monotonic()
        try:
            state = control.lead(self._cluster, self._keys, self._holder, TTL_MS, deadline_s=DEADLINE_S)
        except GangerError:
            if self._silent_since_s is None:
                self._silent_since_s = asked_s
            if asked_s - self._silent_since_s > TTL_MS / 1000:
                self._until_s = asked_s + UNTOLD_S
            return self.held  # what was granted before still holds until its time is over
        self._silent_since_s = None
        # Counted from before the question: the server's clock began no earlier.
        self._until_s = asked_s + TTL_MS / 1000 - MARGIN_S if state.held else 0.0
        return self.held

    @property
    def held(self) -> bool:
        """Whether we may act as the leader at this moment; no I/O."""
        held = time.monotonic() < self._until_s
        if held != self._told:
            self._told = held
            _logger.info(log.LEADER_WON if held else log.LEADER_LOST, holder=self._holder)
        return held

    def resign(self) -> None:
        """Another may take over at once."""
        self._until_s = 0.0
        with contextlib.suppress(GangerError):  # the key ends by itself
            control.abdicate(self._cluster, self._keys, self._holder, deadline_s=DEADLINE_S)
        _ = self.held

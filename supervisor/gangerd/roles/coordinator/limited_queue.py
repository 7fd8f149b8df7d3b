"""A queue that is limited, as the warden knows it: where it stands on the board, its rules, and what the
servers for semaphores said last. limits.py makes it, offers.py writes what was heard.
"""

from dataclasses import dataclass, field

from gangerd.config import Limit
from gangerd.passes import Track
from gangerd.roles.coordinator.grants import Rules
from gangerd.roles.coordinator.lane_rules import rules_of

FIRST_PAUSE_MS, PAUSE_MS = 10, 150
"""Between two times that a full limit is asked for: it grows from one to the other."""
BUSY = ("full", "rate")
"""Refusals that say no more than that a limit is used."""


@dataclass(slots=True)
class LimitedQueue:
    """One line of the board on which limits hold. `why`: what the last refusal was, "" for none."""

    name: str
    line: int
    first: int
    count: int
    rules: Rules
    """For all its jobs alike; empty: its workers need no pass."""
    lane_rules: Rules = field(default_factory=dict)
    """For jobs of one type, or told apart by an argument."""
    why: str = ""
    resume_ns: int = 0
    pause_ms: float = FIRST_PAUSE_MS
    waiting: int = 0
    """Partitions in which work waits."""

    def rules_for(self, track: Track | None) -> dict[str, Limit]:
        """What a job needs permits of: in a lane, or (None) outside of any."""
        return rules_of(self.rules, self.lane_rules, track)

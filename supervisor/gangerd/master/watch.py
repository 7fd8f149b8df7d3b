"""Is the coordinator alive? Its stamp in the recorder's header must keep changing.

Pure. The stamp's value is not compared with the master's clock but with the last one seen: after a suspend of
the machine everything is old and nobody is to blame.
"""

from dataclasses import dataclass

SECOND = 1_000_000_000


@dataclass(slots=True)
class Watch:
    stale_s: float
    stamp: int = 0
    changed_ns: int = 0
    stamped: bool = False
    """This process has given a sign of life: its start is no longer what is waited for."""

    def begin(self, stamp: int, now_ns: int) -> None:
        """A new process is to be watched; it gets the whole time for its first stamp."""
        self.stamp, self.changed_ns, self.stamped = stamp, now_ns, False

    def stale(self, stamp: int, now_ns: int) -> bool:
        """True when the stamp has stood still too long."""
        if stamp != self.stamp:
            self.stamp, self.changed_ns, self.stamped = stamp, now_ns, True
        return now_ns - self.changed_ns > self.stale_s * SECOND

    def moved(self, gap_ns: int) -> None:
        """The watcher was away itself for so long."""
        self.changed_ns += gap_ns

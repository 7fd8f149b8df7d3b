"""What is said of runs that come near their memory limit: once a run, and one line a minute for each type.

Pure: instants and names come in; whether to write the line, and how many were kept back before it, comes
out. memory_watch.py writes it.
"""

from dataclasses import dataclass, field

EVERY_NS = 60_000_000_000
MOST_TYPES = 1_000


@dataclass(slots=True)
class Alarm:
    """`total` runs came near their limit since the master's start."""

    total: int = 0
    _said: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Type -> when its last line was written, and how many were kept back since."""

    def raised(self, kind: str, now_ns: int) -> int | None:
        """A run of this type came near its limit: None to say nothing, else how many have gone unsaid."""
        self.total += 1
        at_ns, unsaid = self._said.get(kind, (now_ns - EVERY_NS, 0))
        if now_ns - at_ns < EVERY_NS:
            self._said[kind] = (at_ns, unsaid + 1)
            return None
        if len(self._said) >= MOST_TYPES:
            self._said.clear()
        self._said[kind] = (now_ns, 0)
        return unsaid

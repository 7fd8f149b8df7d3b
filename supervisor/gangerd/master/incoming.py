"""What a reload has in hand until its canary passes, and how the last one ended; reloading.py acts."""

from dataclasses import dataclass

from gangerd.config import Config
from gangerd.master.children import Child


@dataclass(slots=True)
class Incoming:
    """The next generation, not in force yet. `since_ns`: when the present step of its way began."""

    number: int
    config: Config
    config_fd: int
    since_ns: int
    template: Child | None = None
    manifest: bytes | None = None
    """As the new template told it."""
    edition: str = ""
    canary: Child | None = None
    idle_ns: int | None = None
    """When it was first seen to find no work."""
    error: str = ""
    """Why its template can't serve, in its own words."""


@dataclass(slots=True)
class Outcome:
    """Of the last reload, for status. `state`: "", "under way", "done" or "failed" (then `error` says why);
    `lingering`: workers that finish a job in an older generation."""

    state: str = ""
    generation: int = 0
    error: str = ""
    began_ns: int = 0
    committed_ns: int = 0
    remaining: int = 0
    """Old workers that have not left, while it rolls; since when there are so many."""
    moved_ns: int = 0
    took_ms: int = 0
    lingering: int = 0
    at_ms: int = 0
    """Wall clock, of its beginning or its end."""

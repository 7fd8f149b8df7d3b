"""Generations: each import of the app is one, an integer counted from 1.

Pure. Today a master lives through one generation, begun again when its template dies (the same code in a new
process is still the same generation: nothing in it is newer). A reload begins the next beside the old one:
then `outdated` says whose turn it is to leave.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Generations:
    """`current` is what new workers belong to."""

    current: int = 1

    def outdated(self, generation: int) -> bool:
        return generation < self.current

    def begin(self) -> int:
        """The number of a new generation."""
        self.current += 1
        return self.current

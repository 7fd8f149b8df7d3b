"""What is due next: a heap of named moments, each of which can be moved or cancelled.

PURE: moments are numbers handed in, nothing here reads a clock. A name has one moment at most; setting it
again moves it (the older one stays in the heap as a corpse until it surfaces). The roles' loop keeps its
duties here, the scheduler its partitions with something due.
"""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


class Timers(Generic[Name]):
    def __init__(self) -> None:
        self._due: dict[Name, tuple[int, int]] = {}
        self._heap: list[tuple[int, int, Name]] = []
        self._counter = 0

    def __len__(self) -> int:
        return len(self._due)

    def set(self, name: Name, at_ns: int) -> None:
        """`name` is due at `at_ns`, and at no other moment."""
        self._counter += 1
        self._due[name] = (at_ns, self._counter)
        heapq.heappush(self._heap, (at_ns, self._counter, name))
        if len(self._heap) > 64 + 4 * len(self._due):
            self._heap = [(at, number, each) for each, (at, number) in self._due.items()]
            heapq.heapify(self._heap)

    def set_earlier(self, name: Name, at_ns: int) -> None:
        """Like `set`, but a moment that comes sooner stays."""
        known = self._due.get(name)
        if known is None or at_ns < known[0]:
            self.set(name, at_ns)

    def cancel(self, name: Name) -> None:
        self._due.pop(name, None)

    def is_set(self, name: Name) -> bool:
        return name in self._due

    def next_ns(self) -> int | None:
        """The earliest moment, None when there is none."""
        self._drop_corpses()
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now_ns: int) -> list[Name]:
        """Every name whose moment is not after `now_ns`, earliest first; they are no longer set."""
        names: list[Name] = []
        while True:
            self._drop_corpses()
            if not self._heap or self._heap[0][0] > now_ns:
                return names
            name = heapq.heappop(self._heap)[2]
            del self._due[name]
            names.append(name)

    def _drop_corpses(self) -> None:
        heap = self._heap
        while heap and self._due.get(heap[0][2], (0, 0))[1] != heap[0][1]:
            heapq.heappop(heap)

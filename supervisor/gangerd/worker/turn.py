"""The turn to leave: of all old workers the one that first comes to a boundary has it, and no other.

In a reload the master lets one worker go at a time, so that no place is empty; which one, nobody can know
before: each may be in a job that takes an hour. So it counts up the turns given, and whoever is between two
jobs takes one, under a kernel lock. Used by the worker loop where the control word says YIELD.

Crash points. Before the count is written the lock goes with its holder, and the turn is another's. After it
the turn is used, and the dead is replaced like any other."""

import time

from gangerd.linux.shared_memory import lock_byte, map_region, unlock_byte
from gangerd.page import PageWriter
from gangerd.recorder import HEADER_BYTES, HeaderWord, Phase

_GIVEN, _TAKEN = int(HeaderWord.TURNS_GIVEN), int(HeaderWord.TURNS_TAKEN)
_LOCK_AT = 8 * _TAKEN


class Turn:
    """One worker's view of it."""

    def __init__(self, recorder_fd: int, page: PageWriter) -> None:
        self._fd = recorder_fd
        self._page = page
        # Mapped when it is first wanted, and never unmapped: that would drop this process's page lock.
        self._header: memoryview | None = None

    def take(self) -> bool:
        """True when this worker is to leave now; its page shows it first, so that nobody counts on it."""
        header = self._header
        if header is None:
            header = self._header = memoryview(map_region(self._fd, 0, HEADER_BYTES)).cast("Q")
        if header[_GIVEN] <= header[_TAKEN] or not lock_byte(self._fd, _LOCK_AT, wait=False):
            return False
        try:
            if header[_GIVEN] <= header[_TAKEN]:
                return False
            self._page.enter(Phase.LEAVING, time.monotonic_ns())
            header[_TAKEN] += 1
            return True
        finally:
            unlock_byte(self._fd, _LOCK_AT)

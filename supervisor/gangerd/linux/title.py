"""The process's title in ps and top; the only user of setproctitle.

What it says is the caller's. Used by every process of the daemon, by a worker before each job.
"""

import time
from collections.abc import Callable

import setproctitle

_MIN_INTERVAL_S = 0.5


def shown() -> str:
    """The whole title as it is."""
    return str(setproctitle.getproctitle())


def set_title(text: str) -> None:
    """Set the whole title at once. For what happens once in a process's life."""
    setproctitle.setproctitle(text)


class Title:
    """A title that changes at most twice a second: a worker may run thousands of jobs in that time.

    `prefix` stays in front of each text.
    """

    def __init__(self, prefix: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._prefix = prefix
        self._clock = clock
        self._shown = ""
        self._next_s = 0.0

    def show(self, text: str, *, now: bool = False) -> None:
        """Show `prefix text`, unless it is shown already or the last change is too recent.

        A text that comes too soon is dropped, not shown later; now=True shows it in any case.
        """
        if text == self._shown and self._next_s:
            return
        at_s = self._clock()
        if not now and at_s < self._next_s:
            return
        set_title(f"{self._prefix} {text}".strip())
        self._shown = text
        self._next_s = at_s + _MIN_INTERVAL_S

"""Signals as bytes in a pipe: a loop that waits on descriptors waits for signals as well.

Holds the numbers of our own real-time signals and the table of what each signal means to the master. What
is done about one is decided elsewhere. Used by the master, the roles and the template.
"""

import contextlib
import enum
import os
import signal
from collections.abc import Iterable, Mapping
from types import FrameType, MappingProxyType

from gangerd.linux.descriptors import close_all

DUMP_SIGNAL = signal.SIGRTMIN + 2
"""Asks a worker for its Python stack, into its crash file (see faults.py)."""

SOFT_TIMEOUT_SIGNAL = signal.SIGRTMIN + 3
"""Knocks at a worker: look whether your run is overdue. The worker decides."""


class Meaning(enum.Enum):
    """What a signal asks of the master."""

    DRAIN = "finish what runs, hand back the rest, end; a second one ends at once"
    RELOAD = "reload"
    QUIET = "stop claiming"
    RESUME = "claim again"
    MORE = "one worker more"
    FEWER = "one worker less"
    DUMP = "write state and stacks to the log"
    CHILD = "a child ended or stopped"


MEANINGS: Mapping[int, Meaning] = MappingProxyType(
    {
        signal.SIGTERM: Meaning.DRAIN,
        signal.SIGINT: Meaning.DRAIN,
        signal.SIGHUP: Meaning.RELOAD,
        signal.SIGTSTP: Meaning.QUIET,
        signal.SIGCONT: Meaning.RESUME,
        signal.SIGTTIN: Meaning.MORE,
        signal.SIGTTOU: Meaning.FEWER,
        signal.SIGUSR2: Meaning.DUMP,
        signal.SIGCHLD: Meaning.CHILD,
    }
)

_pipe: tuple[int, int] | None = None
_installed: set[int] = set()


def _note(number: int, frame: FrameType | None) -> None:
    """Nothing to do: the interpreter's C handler has written the number into the pipe already."""


def install(signals: Iterable[int]) -> int:
    """Catch these signals from now on; the descriptor becomes readable when one arrives.

    Main thread only. May be called again with more signals: same descriptor. The pipe keeps 65,536 signals
    nobody has read; what comes beyond those is lost.
    """
    global _pipe
    if _pipe is None:
        _pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(_pipe[1], warn_on_full_buffer=False)
    for number in signals:
        signal.signal(number, _note)
        _installed.add(number)
    return _pipe[0]


def read() -> list[int]:
    """The numbers of the signals since the last call, in order of arrival, repeats kept. Never blocks."""
    numbers: list[int] = []
    if _pipe is not None:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(_pipe[0], 4096):
                numbers.extend(data)
    return numbers


def uninstall() -> None:
    """Back to the default actions; the pipe is closed. In a forked child: call this before anything else.

    Until then a signal sent to the child is written into its parent's pipe.
    """
    global _pipe
    if _pipe is not None:
        signal.set_wakeup_fd(-1)
        for number in _installed:
            default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, default)
        close_all(_pipe)
        _pipe = None
        _installed.clear()


def ignore_own_signals() -> None:
    """Ignore the two real-time signals, whose default action is death.

    Called before a fork, so that a worker is safe from its first instant until it has its own handlers.
    """
    signal.signal(DUMP_SIGNAL, signal.SIG_IGN)
    signal.signal(SOFT_TIMEOUT_SIGNAL, signal.SIG_IGN)

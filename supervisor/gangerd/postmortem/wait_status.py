"""A wait status as wait4 gives it, in words: signal, exit code, core, and the causes that signals stand for.

Pure. Used by verdict.py.
"""

import os
import signal

SIGKILL = int(signal.SIGKILL)

SIGNAL_CAUSES: dict[int, str] = {
    signal.SIGSEGV: "segfault",
    signal.SIGABRT: "abort",
    signal.SIGBUS: "bus_error",
    signal.SIGILL: "illegal_instruction",
    signal.SIGFPE: "fp_error",
}
"""Signals with a cause of their own; any other N is `signal_N`, but for SIGKILL, which needs evidence."""


def ending(wait_status: int | None) -> tuple[int | None, int | None]:
    """(signal, exit code): one of the two, or neither when there is no status."""
    if wait_status is None:
        return None, None
    if os.WIFSIGNALED(wait_status):
        return os.WTERMSIG(wait_status), None
    return None, os.WEXITSTATUS(wait_status)


def dumped_core(wait_status: int | None) -> bool:
    return wait_status is not None and os.WIFSIGNALED(wait_status) and os.WCOREDUMP(wait_status)


def signal_name(number: int) -> str:
    """SIGSEGV, SIGRTMIN+3; `signal 77` when it has no name."""
    if signal.SIGRTMIN < number < signal.SIGRTMAX:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

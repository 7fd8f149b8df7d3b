"""Ended and stopped children: who they are, and how they ended, in the kernel's words.

Says nothing of causes (postmortem does). Used by the master alone: it is the subreaper of its tree, so
the orphans of dead workers arrive here too, and unknown pids are normal.
"""

import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reaped:
    """A child that has ended and is gone now.

    status is the raw wait status. Exactly one of exit_code and signal is set. core: a core was dumped.
    rusage covers the child and the children it waited for; ru_maxrss is in KiB and of its whole life.
    """

    pid: int
    status: int
    exit_code: int | None
    signal: int | None
    core: bool
    rusage: resource.struct_rusage


def next_ended() -> int | None:
    """The pid of a child that has ended, without reaping it: until `reap`, its pid and /proc entry stay.

    None when no child has ended (or there is none).
    """
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return ended.si_pid if ended is not None else None


def reap(pid: int) -> Reaped | None:
    """Reap this child if it has ended; None when it runs, or is no child of ours. Never blocks."""
    try:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return from_status(ended, status, usage) if ended == pid else None


def from_status(pid: int, status: int, usage: resource.struct_rusage) -> Reaped:
    """Read a wait status as wait4 gives it."""
    killed = os.WIFSIGNALED(status)
    return Reaped(
        pid=pid,
        status=status,
        exit_code=None if killed else os.WEXITSTATUS(status),
        signal=os.WTERMSIG(status) if killed else None,
        core=os.WCOREDUMP(status),
        rusage=usage,
    )


def ended_children() -> Iterator[Reaped]:
    """Reap every child that has ended, one by one, until none is left. Never blocks.

    To be called until it ends whenever SIGCHLD came: several deaths may share one signal.
    """
    while (pid := next_ended()) is not None:
        reaped = reap(pid)
        if reaped is not None:
            yield reaped


def stopped(pid: int) -> bool:
    """True when this child stands still: *every* thread of it has stopped on SIGSTOP. Never blocks.

    False while one still runs, when it has ended, and when it is no child of ours. The answer is not used
    up by asking (WNOWAIT), and turns false with SIGCONT.
    """
    try:
        state = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return state is not None

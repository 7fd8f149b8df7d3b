"""What a dead worker's jobs have left running: found by its cgroup or its session, and ended.

A job that starts a process and dies leaves it behind, and it goes on with half the job. Called at the
burial, when the worker itself is reaped. Only what is in the worker's own leaf or session is touched: every
other stray may belong to a newborn worker."""

import contextlib
import os
import signal

from gangerd.linux import cgroup, processes


def end(worker_pid: int, leaf: str) -> list[int]:
    """Send SIGKILL to all of them; their pids. They arrive at the subreaper like any orphan."""
    if leaf:
        return cgroup.kill_leftovers(leaf)
    pids = processes.session_members(worker_pid)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return pids

"""One process and its place in the tree: parents, orphans, identity, weight in an OOM, open files.

What is done with a process is decided by the master. Used by the master (subreaper, nofile, identities in old
pages), by the template and by everything that must not outlive its parent.
"""

import ctypes
import os
import resource
import select
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def set_subreaper() -> None:
    """From now on orphans below this process become its children instead of init's."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> bool:
    """Have the kernel send `number` to this process when its parent ends; False if it has ended already.

    The kernel means the parent's *thread*: the parent must fork from its main thread. A fork clears the
    setting, so the child calls this itself, and a worker only once it is the master's child: the end of
    the process between them would set it off.
    """
    _prctl(_PR_SET_PDEATHSIG, number)
    return os.getppid() == parent


def start_time(pid: int) -> int | None:
    """When it started, in clock ticks since boot; with the pid that is an identity. None: no such process."""
    fields = _stat_fields(pid)
    return int(fields[19]) if fields else None


def is_alive(pid: int, started: int) -> bool:
    """True when this very process, not another with its number, still runs. A zombie is dead."""
    fields = _stat_fields(pid)
    return bool(fields) and int(fields[19]) == started and fields[0] not in ("Z", "X", "x")


def has_ended(pidfd: int) -> bool:
    """True when the process of this handle runs no more; a zombie does not."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def parent(pid: int) -> int | None:
    """Its parent's pid; None: no such process."""
    fields = _stat_fields(pid)
    return int(fields[1]) if fields else None


def command(pid: int) -> str:
    """The name of what it runs, at most 15 characters; empty: no such process."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def is_uninterruptible(pid: int) -> bool:
    """True when it hangs in the kernel (state D): not even SIGKILL ends it now."""
    return _stat_fields(pid)[:1] == ["D"]


def session_members(session: int) -> list[int]:
    """The pids of everything in this session: what a dead worker, its leader, has left behind.

    Reads all of /proc; not for a loop.
    """
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat_fields(int(entry.name))
            if fields and int(fields[3]) == session and fields[0] not in ("Z", "X", "x"):
                members.append(int(entry.name))
    return members


def set_oom_score_adj(value: int) -> bool:
    """How gladly the kernel ends this process when memory is short, -1000 to 1000; False if not allowed.

    Inherited by children. Raising is always allowed, lowering below what was inherited is not.
    """
    try:
        Path("/proc/self/oom_score_adj").write_text(str(value))
    except OSError:
        return False
    return True


def reset_peak_rss() -> bool:
    """Let this process's peak of resident memory (ru_maxrss at its end) begin anew; False if not possible.

    proc(5): 5 into clear_refs resets VmHWM. 5 us; else a small job's death shows a big predecessor's peak.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def raise_nofile() -> int:
    """Raise the soft limit of open files to the hard one; the limit now in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may hold spaces and brackets; empty if it is gone.

    proc(5): [0] is field 3, state; [1] is 4, ppid; [3] is 6, session; [19] is 22, starttime.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text[text.rindex(")") + 2 :].split()

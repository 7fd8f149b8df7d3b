"""The kernel's own log: which process the OOM killer chose.

Reads /dev/kmsg, where that is allowed and means something: it needs CAP_SYSLOG on many systems, and its
pids are those of the initial pid namespace. No permission is no evidence, never an error. Used by the
master, when a worker died of SIGKILL.
"""

import os
import re
from collections import OrderedDict
from pathlib import Path

# In the kernel's source: PROC_PID_INIT_INO (include/linux/proc_ns.h).
_INITIAL_PID_NAMESPACE = "pid:[4026531836]"
# `oom-kill:constraint=CONSTRAINT_MEMCG,...,task=NAME,pid=N,uid=U` (mm/oom_kill.c, dump_oom_summary)
_CHOSEN = re.compile(r"oom-kill:constraint=.*,task=.*,pid=(\d+),uid=\d+\s*$")
# `... Killed process N (NAME) total-vm:...`; also written for each further process of a group.
_KILLED = re.compile(r"(?:[Oo]ut of memory|oom_reaper|OOM).*Killed process (\d+) \(")
_KEPT = 1000


def pid_of_oom_line(text: str) -> int | None:
    """The pid that a line of the kernel log says the OOM killer has killed; None for any other line."""
    match = _CHOSEN.search(text) or _KILLED.search(text)
    return int(match.group(1)) if match else None


class KernelLog:
    """The OOM kills logged since this object was made."""

    def __init__(self, path: Path = Path("/dev/kmsg")) -> None:
        self._lines: OrderedDict[int, str] = OrderedDict()
        self._fd: int | None = None
        if _in_initial_pid_namespace():
            try:
                self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                os.lseek(self._fd, 0, os.SEEK_END)
            except OSError:
                self.close()

    @property
    def available(self) -> bool:
        """False: the log can't be read here, and a missing line says nothing."""
        return self._fd is not None

    def oom_line(self, pid: int) -> str | None:
        """The line that says the OOM killer killed this process; each is answered once. Never blocks.

        The kernel writes it before the process can be reaped, so asking after the reaping is soon enough.
        """
        self._read_new()
        return self._lines.pop(pid, None)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _read_new(self) -> None:
        while self._fd is not None:
            try:
                record = os.read(self._fd, 8192)
            except BlockingIOError:
                return
            except BrokenPipeError:
                continue  # the kernel overwrote records we had not read; the next read goes on after them
            except OSError:
                self.close()
                return
            if not record:
                return
            text = record.decode(errors="replace").partition(";")[2].partition("\n")[0]
            pid = pid_of_oom_line(text)
            if pid is not None:
                self._lines.setdefault(pid, text)  # the first of the two lines says why
                if len(self._lines) > _KEPT:
                    self._lines.popitem(last=False)


def _in_initial_pid_namespace() -> bool:
    try:
        return os.readlink("/proc/self/ns/pid") == _INITIAL_PID_NAMESPACE  # noqa: PTH115
    except OSError:
        return False

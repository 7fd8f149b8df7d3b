"""How much memory processes use; the only user of psutil.

Never asks for USS or PSS (milliseconds a process; RSS is 13 us). What to do about a number is decided by the
master. Used by master and coordinator.
"""

import psutil


class Usage:
    """Numbers of processes by pid; keeps an open handle to each, so tell it when one is gone."""

    def __init__(self) -> None:
        self._processes: dict[int, psutil.Process] = {}

    def rss_bytes(self, pid: int) -> int | None:
        """Resident memory, pages shared with other processes included; None when it is gone."""
        try:
            return int(self._process(pid).memory_info().rss)
        except psutil.Error:
            return None

    def forget(self, pid: int) -> None:
        """The process was reaped: its number may come again."""
        self._processes.pop(pid, None)

    def _process(self, pid: int) -> psutil.Process:
        process = self._processes.get(pid)
        if process is None:
            process = self._processes[pid] = psutil.Process(pid)
        return process

"""How much memory and processor time processes use; the only user of psutil.

Never asks for USS or PSS (milliseconds a process; RSS is 13 us). What to do about a number is decided by the
master. Used by master and coordinator.
"""

import os
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class HostMemory:
    """Bytes of the whole machine; available = what can be had without swapping."""

    total_bytes: int
    available_bytes: int


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

    def cpu_s(self, pid: int) -> float | None:
        """User and system time since its start, in seconds; None when it is gone."""
        try:
            times = self._process(pid).cpu_times()
        except psutil.Error:
            return None
        return float(times.user + times.system)

    def forget(self, pid: int) -> None:
        """The process was reaped: its number may come again."""
        self._processes.pop(pid, None)

    def _process(self, pid: int) -> psutil.Process:
        process = self._processes.get(pid)
        if process is None:
            process = self._processes[pid] = psutil.Process(pid)
        return process


def host_memory() -> HostMemory:
    """The machine's memory now."""
    memory = psutil.virtual_memory()
    return HostMemory(int(memory.total), int(memory.available))


def host_load() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]

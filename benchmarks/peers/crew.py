"""A place for one run of one system, and the crew of worker processes in it: started, counted, stopped.

The keeper (keeper.py) holds the crew; what is below it is the crew, whatever it forked. Called by cases.py
and crash.py; what is pushed to it is pushing.py's.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from drivers.driver import HERE, JOBS, Driver
from servers import Server, dies_with_parent

KEEPER = HERE / "keeper.py"


class Place:
    """A directory in which the handlers tell what happened: `tally`, `starts`, `journal`; and the crew's
    log."""

    def __init__(
        self, directory: Path, driver: Driver, server: Server, *, crash: bool = False, imports: str = ""
    ) -> None:
        directory.mkdir(parents=True)
        self.directory, self.driver, self.server, self.crash = directory, driver, server, crash
        paths = [str(JOBS), os.environ.get("PYTHONPATH", "")]
        self.environment = {
            **os.environ,
            "PEERS_DIR": str(directory),
            "PEERS_URL": server.url,
            "PEERS_IMPORT": imports,
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "NODE_ENV": "production",
            **driver.environment(server.url, crash=crash),
        }
        server.clear()

    def tally(self) -> int:
        path = self.directory / "tally"
        return path.stat().st_size if path.exists() else 0

    def lines(self, name: str) -> list[str]:
        path = self.directory / name
        return path.read_text().splitlines() if path.exists() else []

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")


class Crew:
    """`count` worker processes of the place's system, and whatever runs beside them."""

    def __init__(self, place: Place, count: int) -> None:
        self.place = place
        commands = place.driver.workers(count, crash=place.crash, place=place.directory)
        listed = place.directory / "commands.json"
        listed.write_text(json.dumps(commands))
        self._keeper = subprocess.Popen(
            [sys.executable, str(KEEPER), str(listed)],
            stdout=(place.directory / "log").open("ab"),
            stderr=subprocess.STDOUT,
            cwd=JOBS,
            env=place.environment,
            preexec_fn=dies_with_parent,
        )
        self.pid = self._keeper.pid

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)

    def cpu_s(self) -> float:
        """What the crew has used so far, with what its dead children had used when they were waited for."""
        total = 0.0
        for process in self.processes():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + times.children_user + times.children_system
        return total

    def running_ns(self) -> int:
        """CPU time of the threads there are, to the nanosecond: for crews that do next to nothing."""
        return sum(running_ns(process.pid) for process in self.processes())

    def pss_mb(self) -> float:
        total = 0.0
        for process in self.processes():
            try:
                total += process.memory_full_info().pss
            except psutil.NoSuchProcess:
                continue
        return total / 1e6

    def ask_to_stop(self) -> None:
        self._keeper.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        self.ask_to_stop()
        self._keeper.wait(30)


def running_ns(pid: int) -> int:
    total = 0
    for schedstat in Path("/proc", str(pid), "task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            total += int(schedstat.read_text().split()[0])
    return total


def wait_for(condition: Callable[[], object], within_s: float, pause_s: float = 0.005) -> bool:
    deadline_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(pause_s)
    return True

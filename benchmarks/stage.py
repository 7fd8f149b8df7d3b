"""What the benchmarks share: embedded servers, a supervisor on them, CPU accounts, a table at the end.

Everything runs on this machine, so absolute figures are this machine's; the report says which it was.
Servers, workers and producers share its cores, as the peers' figures in docs/benchmarks.md do."""

import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

HERE = Path(__file__).parent
GANGER = str(Path(sys.executable).parent / "ganger")


class Stage:
    """Servers of their own in a temporary directory, for as long as the benchmark runs."""

    def __init__(self, directory: Path, shards: int) -> None:
        self.directory = directory
        self.servers = subprocess.Popen(
            [GANGER, "embedded", "--dir", str(directory), "--shards", str(shards)],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(lambda: (directory / "embedded.json").exists(), 30, "the embedded servers")
        self.url = str(json.loads((directory / "embedded.json").read_text())["redis"])
        os.environ["GANGER_REDIS"] = self.url
        sys.path.insert(0, str(HERE))

    @contextmanager
    def supervisor(self, app: str, workers: int, *more: str) -> Iterator[psutil.Process]:
        """`ganger run`, serving; drained at the end, its log in the stage's directory."""
        log = self.directory / "log"
        command = [GANGER, "run", app, "-w", str(workers), "--dir", str(self.directory), *more]
        with log.open("ab") as out:
            offset = log.stat().st_size
            run = subprocess.Popen(command, stdout=out, stderr=out, cwd=HERE)
        try:
            wait_for(lambda: b"master.serving" in log.read_bytes()[offset:], 60, f"ganger run ({log})")
            yield psutil.Process(run.pid)
        finally:
            run.send_signal(signal.SIGTERM)
            run.wait(60)

    def cpu_of_servers(self) -> float:
        """CPU seconds that the servers have used so far."""
        return sum(cpu_s(child) for child in psutil.Process(self.servers.pid).children(recursive=True))

    def stop(self) -> None:
        self.servers.send_signal(signal.SIGTERM)
        self.servers.wait(30)


@contextmanager
def stage(shards: int = 1) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="ganger-bench-") as directory:
        one = Stage(Path(directory), shards)
        try:
            yield one
        finally:
            one.stop()


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def cpu_by_title(master: psutil.Process) -> dict[int, tuple[str, float]]:
    """pid -> (role, CPU seconds so far) of the master and all below it."""
    accounts = {}
    for process in (master, *master.children(recursive=True)):
        try:
            words = " ".join(process.cmdline()).removeprefix("ganger: ").split() or ["?"]
            accounts[process.pid] = (words[0], cpu_s(process))
        except psutil.NoSuchProcess:
            continue
    return accounts


def wait_for(condition: Callable[[], object], within_s: float, what: str, pause_s: float = 0.005) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise SystemExit(f"waited {within_s:g} s in vain for {what}")
        time.sleep(pause_s)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def report(title: str, figures: dict[str, object]) -> None:
    """A table for people, or one JSON document with --json."""
    if "--json" in sys.argv:
        print(json.dumps({"benchmark": title, "machine": machine(), "figures": figures}))
        return
    print(f"\n{title} ({machine()})")
    for name, value in figures.items():
        shown = (
            f"{value:,.2f}"
            if isinstance(value, float) and value < 100
            else f"{value:,.0f}"
            if isinstance(value, (int, float))
            else str(value)
        )
        print(f"  {name:<52}{shown:>14}")


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def median(values: list[float]) -> float:
    return float(statistics.median(values))

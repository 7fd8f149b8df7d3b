"""Masters for tests: started as processes, watched by their log, their status file and their roles.

Leaves what is right to the tests. Everything they start dies with them.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from gangerd.config import Config
from gangerd.page import Page
from gangerd.recorder import PAGE_BYTES, page_offset
from support.waiting import until

TESTS = Path(__file__).parents[1]


class MasterProcess:
    def __init__(
        self,
        root: Path,
        timing: dict[str, Any],
        config: dict[str, Any],
        pass_fds: tuple[int, ...] = (),
        library: Path | None = None,
    ) -> None:
        self.root = root
        self.config = Config(**{"app": "support.tiny_app", "dir": str(root), "log_format": "json", **config})
        self.run_dir = self.config.run_dir
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.log_file = root / "log"
        paths = [
            str(library or ""),
            *os.environ.get("PYTHONPATH", "").split(os.pathsep),
            str(TESTS),
            str(root),
        ]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
        arguments = [msgspec.json.encode(self.config).decode(), json.dumps(timing)]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "support.run_master", *arguments],
                env=env,
                stderr=log,
                cwd=root,
                pass_fds=pass_fds,
            )
        self.left_open = ""

    # what it says

    def log(self, event: str = "") -> list[dict[str, Any]]:
        text = self.log_file.read_text().splitlines()
        # The last line may be half written.
        lines = [json.loads(line) for line in text if line.startswith("{") and line.endswith("}")]
        return [line for line in lines if not event or line["event"] == event]

    def await_log(self, event: str, count: int = 1, deadline_s: float = 15.0) -> list[dict[str, Any]]:
        until(lambda: len(self.log(event)) >= count or self.ended(), f"{count} x {event}", deadline_s)
        found = self.log(event)
        assert len(found) >= count, f"the master ended without {event}:\n{self.log_file.read_text()}"
        return found

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.run_dir / "status.json").read_text())
        return found

    def told(self) -> list[dict[str, Any]]:
        """The deaths its coordinator has been told of."""
        path = self.run_dir / "told.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def roles(self) -> list[str]:
        path = self.run_dir / "roles.txt"
        return path.read_text().splitlines() if path.exists() else []

    def worker(self, number: int) -> int:
        """The pid of the number-th worker that got GO."""
        pid: int = self.await_log("worker.ready", number + 1)[number]["child"]
        return pid

    def slot_of(self, pid: int) -> int:
        slot: int = next(line["slot"] for line in self.log("worker.ready") if line["child"] == pid)
        return slot

    def role_pid(self, role: str, number: int = 0) -> int:
        def ready() -> list[int]:
            return [line["child"] for line in self.log("role.ready") if line["role"] == role]

        until(lambda: len(ready()) > number or self.ended(), f"{role} number {number}")
        return ready()[number]

    # what is done to it

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> bool:
        return self.process.poll() is not None

    def wait(self, deadline_s: float = 15.0) -> int:
        return self.process.wait(deadline_s)

    def start_job(self, number: int) -> int:
        """Have the number-th worker run a job; its pid, once the job stands in its page."""
        pid = self.worker(number)
        os.kill(pid, signal.SIGUSR1)
        until(lambda: self.running(self.slot_of(pid)), f"a job in worker {number}")
        return pid

    def running(self, slot: int) -> bool:
        recorders = sorted(self.run_dir.glob("recorder-*"), key=lambda path: path.stat().st_mtime)
        with recorders[-1].open("rb") as file:
            file.seek(page_offset(slot))
            page = Page(memoryview(bytearray(file.read(PAGE_BYTES))))
        return page.overdue_run()[0] > 0


@contextmanager
def master(
    root: Path,
    timing: dict[str, Any] | None = None,
    pass_fds: tuple[int, ...] = (),
    library: Path | None = None,
    **config: Any,
) -> Iterator[MasterProcess]:
    """`library`: a directory whose ganger it runs instead of this one."""
    config = {"workers": 2, "shutdown_timeout_s": 10.0, **config}
    made = MasterProcess(root, timing or {}, config, pass_fds, library)
    try:
        yield made
    finally:
        if not made.ended():
            made.process.kill()
            made.process.wait()


def gone(pid: int) -> bool:
    """No process of this number runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return True


def living_children(running: MasterProcess) -> set[int]:
    pid = running.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in children if not gone(int(child))}

"""A host for tests: `ganger run` as a process, watched by its log, its status file and the kernel.

Used by the system tests through scene.py. It dies with the test's process, and its children with it.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gangerd.linux import processes
from support.command import GANGER, environment
from support.waiting import until

TESTS = Path(__file__).parents[1]
APP = "support.incident_app"


class Gang:
    """One supervisor in a directory of its own; `prefix` are words in front of the command."""

    def __init__(
        self,
        root: Path,
        env: Mapping[str, str],
        *,
        workers: int = 2,
        settings: Mapping[str, Any] | None = None,
        prefix: Sequence[str] = (),
        app: str = APP,
    ) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        lines = [f"{name} = {json.dumps(value)}" for name, value in (settings or {}).items()]
        (root / "ganger.toml").write_text("\n".join(lines) + "\n")
        self._env = environment({"PYTHONPATH": str(TESTS), **env})
        self._words = [*prefix, str(GANGER), "run", app, "-w", str(workers), "--log-format", "json"]
        self._starts = 0
        self.log_file = root / "log"
        self.started_ns = 0
        self.start()

    def start(self) -> None:
        """Start it; again in the same directory after its end. The log of the last start counts."""
        self._starts += 1
        self.log_file = self.root / f"log.{self._starts}"
        parent = os.getpid()
        self.started_ns = time.monotonic_ns()
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                self._words,
                cwd=self.root,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: processes.die_with_parent(parent, signal.SIGKILL),
            )

    # ---- what it says

    def log(self, event: str = "") -> list[dict[str, Any]]:
        lines = [line for line in self.log_file.read_text(errors="replace").splitlines() if line[:1] == "{"]
        # The last line may be half written.
        found = [json.loads(line) for line in lines if line.endswith("}")]
        return [line for line in found if not event or line.get("event") == event]

    def await_log(self, event: str, count: int = 1, within_s: float = 20.0) -> list[dict[str, Any]]:
        until(lambda: len(self.log(event)) >= count or self.ended, f"{count} x {event}", within_s)
        found = self.log(event)
        assert len(found) >= count, f"the host ended without {event}"
        return found

    def serving(self) -> "Gang":
        self.await_log("master.serving")
        return self

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / ".ganger/run/status.json").read_text())
        return found

    # ---- its processes

    def role(self, name: str, number: int = 1) -> int:
        """Pid of the number-th process of this role that came to serve; the template is one too."""
        if name == "template":
            return int(self.await_log("template.ready", number)[number - 1]["child"])

        def ready() -> list[int]:
            return [line["child"] for line in self.log("role.ready") if line["role"] == name]

        until(lambda: len(ready()) >= number, f"{name} number {number}", 20.0)
        return ready()[number - 1]

    def workers(self) -> list[int]:
        """Pids of the workers that live now."""
        return [line["child"] for line in self.log("worker.ready") if alive(line["child"])]

    def await_workers(self, count: int) -> list[int]:
        """Their pids, when so many live and are ready."""
        until(lambda: len(self.workers()) == count, f"{count} workers", 20.0)
        return self.workers()

    def pids(self) -> list[int]:
        """Every living process of this host, the master first."""
        found = [self.process.pid]
        for pid in found:
            found += _children(pid)
        return found

    # ---- what is done to it

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, within_s: float = 30.0) -> int:
        return self.process.wait(within_s)

    def drain(self, within_s: float = 30.0) -> int:
        """TERM, and its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(within_s)

    def crash(self) -> None:
        """The machine goes away: SIGKILL to every process at once."""
        self.signal(signal.SIGSTOP)  # else it would replace whom we end first
        for pid in self.pids():
            end(pid)
        self.wait()

    def close(self) -> None:
        """Whatever still runs ends."""
        if not self.ended:
            self.crash()

    def tail(self, lines: int = 40) -> str:
        text = self.log_file.read_text(errors="replace").splitlines()
        return "\n".join(line[:600] for line in text[-lines:])


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []

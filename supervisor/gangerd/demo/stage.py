"""The demo's supervisor as a process: started as anyone would start it, watched, ended in order.

What runs on it is play.py's business. The demo itself must be able to die without leaving anything behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from gangerd.embedded import layout
from gangerd.errors import DemoFailed
from gangerd.linux import processes

START_S = 40.0
STOP_S = 40.0
APP = "gangerd.demo.jobs"


class Stage:
    """`ganger run` in a directory of its own. `redis` is the URL of a cluster elsewhere, "" for embedded
    servers."""

    def __init__(
        self, directory: Path, *, workers: int, memory_max_bytes: int, redis: str, namespace: str
    ) -> None:
        self.directory = directory
        self.log = directory / "run.log"
        self._data = directory / "data"
        self._redis = redis
        self._namespace = namespace
        self._workers = workers
        self._memory_max_bytes = memory_max_bytes
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def own_servers(self) -> bool:
        """The servers are this stage's, and go with it."""
        return not self._redis

    def start(self) -> Mapping[str, str]:
        """Start it and wait for its servers; the environment in which producers find them."""
        # In a directory without ganger.toml, and with the settings given here alone.
        command = [sys.executable, "-P", "-m", "gangerd.cli", "run", APP, f"-w{self._workers}"]
        # The kernel's fence, where it can be had, is as high as the saboteur's own limit.
        command += ["--memory-max", f"{self._memory_max_bytes >> 20}M"]
        command += ["--dir", str(self._data), *([] if self._redis else ["--embedded"])]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("GANGER_REDIS")
        }
        environment["GANGER_NAMESPACE"] = self._namespace
        if self._redis:
            environment["GANGER_REDIS"] = self._redis
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with(os.getpid()),
            )
        url = self._redis or self._await_servers()
        return {"GANGER_REDIS": url, "GANGER_NAMESPACE": self._namespace}

    def _await_servers(self) -> str:
        deadline = time.monotonic() + START_S
        while (known := layout.announced(self._data / "embedded.json")) is None:
            self.check()
            if time.monotonic() > deadline:
                raise DemoFailed(f"the embedded servers were not up within {START_S:g} s{self.last_words()}")
            time.sleep(0.02)
        return str(known["redis"])

    def check(self) -> None:
        """Raises DemoFailed when the supervisor has ended by itself."""
        status = self._process.poll() if self._process else None
        if status is not None:
            raise DemoFailed(f"the supervisor ended by itself with status {status}{self.last_words()}")

    def stop(self) -> int | None:
        """Ask it to drain and wait; its exit code, None when it had to be killed. A second call does
        nothing."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.terminate()
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def last_words(self, lines: int = 15) -> str:
        """The end of its log, as the end of a sentence."""
        try:
            text = self.log.read_text(errors="replace").splitlines()[-lines:]
        except OSError:
            text = []
        return ":\n  " + "\n  ".join(text) if text else " and left no log"


def _end_with(parent: int) -> Callable[[], None]:
    def arrange() -> None:
        if not processes.die_with_parent(parent, signal.SIGTERM):
            os._exit(1)

    return arrange

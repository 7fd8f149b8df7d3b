"""What a driver tells of its system: how its workers and its producer start, with which settings, what it
promises.

Starting, pushing, waiting and stopping are the same for all of them, and are in crew.py and pushing.py.
"""

import importlib.metadata
import shutil
import sys
from abc import ABC, abstractmethod
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
JOBS = HERE / "jobs"
BIN = Path(sys.executable).parent


class Driver(ABC):
    """A system. `jobs` is how many no-ops keep two of its workers busy for a few seconds."""

    name = ""
    package = ""
    jobs = 10_000
    at_least_once = True
    redelivered = ""
    """When a job comes back that its process took with it."""
    settings = ""
    crash_settings = ""
    """What differs from `settings` in the crash run."""
    cluster = False
    """Runs on the one-node cluster, and not on the standalone server."""
    python = True
    limit = "3 s"
    """The time limit that the hang is under, or "none" where there is no such setting."""
    harm = "a read of address 0; SIGKILL to itself; a lock taken twice in C, holding the GIL"

    def version(self) -> str:
        return importlib.metadata.version(self.package)

    def missing(self) -> str | None:
        """Why it cannot be measured here."""
        try:
            self.version()
        except importlib.metadata.PackageNotFoundError:
            return f"{self.package} is not installed"
        return None

    @abstractmethod
    def workers(self, count: int, *, crash: bool, place: Path) -> list[list[str]]:
        """The commands that together are `count` worker processes."""

    def producer(self) -> list[str]:
        return [sys.executable, str(JOBS / "produce.py"), f"{self.name.lower()}_jobs"]

    def environment(self, url: str, *, crash: bool) -> dict[str, str]:
        return {}

    def records(self, place: Path, environment: dict[str, str]) -> list[str]:
        """What its own commands say of failed jobs, beside its log and what the producer finds."""
        return []


def program(name: str) -> str:
    """A console script of the environment that runs this."""
    return str(BIN / name)


def on_path(name: str) -> str | None:
    return None if shutil.which(name) else f"no {name} on PATH"

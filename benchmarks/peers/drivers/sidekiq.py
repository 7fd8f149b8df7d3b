"""Sidekiq, the free edition as Debian has it: a process each, kept by a service manager."""

import re
import subprocess
from pathlib import Path

from drivers.driver import JOBS, Driver, on_path


class Sidekiq(Driver):
    name = "Sidekiq"
    package = "ruby-sidekiq"
    jobs = 30_000
    at_least_once = False
    python = False
    settings = "N processes of 10 threads, the free edition (BRPOP), push_bulk of 1,000"
    crash_settings = "retry 2"
    limit = "none"
    harm = "raise(SIGSEGV) in C; SIGKILL to itself; a lock taken twice in C, holding Ruby's lock"

    def version(self) -> str:
        said = subprocess.run(["sidekiq", "--version"], capture_output=True, text=True, timeout=30).stdout
        found = re.search(r"[0-9.]+", said)
        return found.group() if found else "?"

    def missing(self) -> str | None:
        return on_path("sidekiq") or on_path("ruby")

    def workers(self, count: int, *, crash: bool, place: Path) -> list[list[str]]:
        one = ["sidekiq", "-r", str(JOBS / "handlers.rb"), "-c", "10", "-q", "default"]
        return [one for _ in range(count)]

    def producer(self) -> list[str]:
        return ["ruby", str(JOBS / "produce.rb")]

    def environment(self, url: str, *, crash: bool) -> dict[str, str]:
        return {"PEERS_VERBOSE": "1"} if crash else {}

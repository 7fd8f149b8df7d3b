"""BullMQ: node processes; where a job may harm its process, its sandboxed processors."""

import json
from pathlib import Path

from drivers.driver import HERE, JOBS, Driver, on_path


class BullMQ(Driver):
    name = "BullMQ"
    package = "bullmq"
    jobs = 20_000
    redelivered = "by the stalled check, 30 s"
    python = False
    settings = "N node processes, concurrency 50, removeOnComplete 1,000, addBulk of 1,000"
    crash_settings = (
        "one process, concurrency 4, sandboxed processor (child processes), attempts 3, backoff 1 s"
    )
    limit = "none"
    harm = "SIGSEGV to itself; SIGKILL to itself; Atomics.wait on the main thread, in native code"

    def version(self) -> str:
        package = HERE / "node_modules" / "bullmq" / "package.json"
        return str(json.loads(package.read_text())["version"])

    def missing(self) -> str | None:
        if not (HERE / "node_modules" / "bullmq").exists():
            return on_path("npm") or "bullmq is not installed"
        return on_path("node")

    def workers(self, count: int, *, crash: bool, place: Path) -> list[list[str]]:
        work = str(JOBS / "work.js")
        if crash:
            return [["node", work, str(count), "sandbox"]]
        return [["node", work, "50", "in-process"] for _ in range(count)]

    def producer(self) -> list[str]:
        return ["node", str(JOBS / "produce.js")]

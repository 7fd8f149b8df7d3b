"""SAQ: processes of coroutines, ten at once, its default."""

from pathlib import Path

from drivers.driver import Driver, program


class SAQ(Driver):
    name = "SAQ"
    package = "saq"
    jobs = 8_000
    redelivered = "by the sweep each 60 s, when past its timeout"
    settings = "--workers N, concurrency 10, hiredis, results not kept (ttl -1)"
    crash_settings = "timeout 3, retries 3, retry_delay 1"

    def workers(self, count: int, *, crash: bool, place: Path) -> list[list[str]]:
        verbose = ["-v"] if crash else []
        return [[program("saq"), "saq_jobs.settings", "--workers", str(count), *verbose]]

"""Dramatiq: processes of eight threads, its default."""

from pathlib import Path

from drivers.driver import Driver, program


class Dramatiq(Driver):
    name = "Dramatiq"
    package = "dramatiq"
    jobs = 12_000
    redelivered = "60 s after the last heartbeat"
    settings = "-p N -t 8, defaults"
    crash_settings = "time_limit 3,000 ms, max_retries 2, min_backoff 1,000 ms"

    def workers(self, count: int, *, crash: bool, place: Path) -> list[list[str]]:
        return [[program("dramatiq"), "dramatiq_jobs", "-p", str(count), "-t", "8"]]

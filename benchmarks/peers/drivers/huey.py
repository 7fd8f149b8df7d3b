"""Huey: worker processes."""

from pathlib import Path

from drivers.driver import Driver, program


class Huey(Driver):
    name = "Huey"
    package = "huey"
    jobs = 12_000
    at_least_once = False
    settings = "-k process -w N, RedisHuey (blocking), results off"
    crash_settings = "timeout 3, retries 2, retry_delay 1, health check each second (-c 1)"

    def workers(self, count: int, *, crash: bool, place: Path) -> list[list[str]]:
        start = [program("huey_consumer"), "huey_jobs.huey", "-k", "process", "-w", str(count)]
        return [[*start, "-c", "1"] if crash else [*start, "-q"]]

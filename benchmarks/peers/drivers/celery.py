"""Celery, prefork, acknowledging late; in the crash run once more with task_reject_on_worker_lost."""

from pathlib import Path

from drivers.driver import Driver, program


class Celery(Driver):
    name = "Celery"
    package = "celery"
    jobs = 3_000
    redelivered = "not, it has failed; with a lost main process after an hour (visibility_timeout)"
    settings = (
        "prefork -c N, acks_late, prefetch_multiplier 64, ignore_result, --without-gossip --without-mingle"
    )
    crash_settings = "prefetch_multiplier 4, time_limit 3, a result backend"

    def workers(self, count: int, *, crash: bool, place: Path) -> list[list[str]]:
        level = "INFO" if crash else "WARNING"
        start = [program("celery"), "-A", "celery_jobs", "worker", "-c", str(count), "-l", level]
        return [[*start, "--without-gossip", "--without-mingle"]]

    def environment(self, url: str, *, crash: bool) -> dict[str, str]:
        return {"PEERS_PREFETCH": "4", "PEERS_RESULTS": "1"} if crash else {}


class RejectingCelery(Celery):
    name = "Celery, reject on lost"
    crash_settings = "prefetch_multiplier 4, time_limit 3, a result backend, task_reject_on_worker_lost"

    def producer(self) -> list[str]:
        return [*super().producer()[:-1], "celery_jobs"]

    def environment(self, url: str, *, crash: bool) -> dict[str, str]:
        return super().environment(url, crash=crash) | {"PEERS_VARIANT": "reject"}

"""taskiq: the stream broker, coroutines."""

from pathlib import Path

from drivers.driver import Driver, program


class Taskiq(Driver):
    name = "taskiq"
    package = "taskiq"
    jobs = 12_000
    redelivered = "after 10 minutes idle"
    settings = "RedisStreamBroker, --workers N, coroutines on uvloop, defaults (100 at once), ack when saved"
    crash_settings = "timeout=3, SimpleRetryMiddleware, max_retries 3"

    def version(self) -> str:
        import importlib.metadata

        return f"{super().version()}, taskiq-redis {importlib.metadata.version('taskiq-redis')}"

    def workers(self, count: int, *, crash: bool, place: Path) -> list[list[str]]:
        level = "INFO" if crash else "WARNING"
        return [
            [program("taskiq"), "worker", "taskiq_jobs:broker", "--workers", str(count), "--log-level", level]
        ]

"""RQ: a pool of workers that fork for each job, its default."""

from pathlib import Path

from drivers.driver import Driver, program


class RQ(Driver):
    name = "RQ"
    package = "rq"
    jobs = 300
    redelivered = "at once where there is a Retry; with a lost worker when its heartbeat has lapsed"
    settings = (
        "worker-pool -n N, a fork per job, which alone imports the app; result_ttl 0; enqueue_many of 1,000"
    )
    crash_settings = "job_timeout 3, Retry(max=2)"

    def workers(self, count: int, *, crash: bool, place: Path) -> list[list[str]]:
        level = "INFO" if crash else "WARNING"
        start = [program("rq"), "worker-pool", "peers", "-n", str(count), "--logging-level", level]
        return [start]

    def environment(self, url: str, *, crash: bool) -> dict[str, str]:
        return {"RQ_REDIS_URL": url}

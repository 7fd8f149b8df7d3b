"""ganger: its template, coordinator and scheduler run beside the workers and are counted with them."""

import json
import subprocess
from pathlib import Path

from drivers.driver import JOBS, Driver, program


class Ganger(Driver):
    name = "ganger"
    package = "ganger"
    jobs = 200_000
    redelivered = "at once; with a lost host, after its lease, 15 s"
    cluster = True
    settings = "ganger run -w N, defaults; one-node cluster; push_many of 1,000"
    crash_settings = "timeout=3, grace=1, retry=2, backoff=1"
    limit = "3 s + 1 s grace"

    def workers(self, count: int, *, crash: bool, place: Path) -> list[list[str]]:
        return [[program("ganger"), "run", "ganger_jobs", "-w", str(count), "--dir", str(place)]]

    def environment(self, url: str, *, crash: bool) -> dict[str, str]:
        return {"GANGER_REDIS": url}

    def records(self, place: Path, environment: dict[str, str]) -> list[str]:
        command = [program("ganger"), "crashes", "--json", "--dir", str(place)]
        said = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=JOBS, timeout=30)
        if said.returncode:
            return []
        told = json.loads(said.stdout)
        crashes = told["crashes"] if isinstance(told, dict) else told
        return [json.dumps(crash) for crash in crashes]

"""A worker is killed by its job: from that job's last line to the next job's first, in the worker's place.
The app takes 2 s to import, and holds 100 MB."""

import time
from pathlib import Path

from gangerd.bench.apps import jobs
from gangerd.bench.case import Bench, Figure, quantiles
from gangerd.bench.stage import wait_for


def measure(bench: Bench) -> list[Figure]:
    deaths = bench.size(30, 8)
    with bench.stage() as stage, stage.supervisor("big", 1):
        stage.pushing()
        bench.tell(f"{deaths} deaths")
        took_ms = [_replacement(stage.directory, number) for number in range(deaths)]
    return quantiles("recovery", "from a death to the next job", took_ms, 0.5, 0.9, 1)


def _replacement(directory: Path, number: int) -> float:
    dying, following = directory / f"dying-{number}", directory / f"next-{number}"
    jobs.die.push(str(dying))
    wait_for(lambda: dying.exists() and dying.read_text().endswith("\n"), 10, "a death", 0.0005)
    jobs.began.push(str(following), time.monotonic_ns())
    wait_for(
        lambda: following.exists() and following.read_text().endswith("\n"), 10, "the job after it", 0.001
    )
    return (int(following.read_text().split()[1]) - int(dying.read_text())) / 1e6

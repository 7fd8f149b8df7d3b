"""What a limit costs: no-op jobs of one queue, without a limit, with one that never holds anybody up, and
with a limit of one. `--jobs N --workers N`.

The limited queue's jobs are claimed one by one, each with a pass; its permits come from one server for
semaphores, embedded like the cluster.
"""

import argparse
import json
import os
import time

from stage import Stage, cpu_by_title, report, stage, wait_for

from ganger.client import Client, set_default_client
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.keys import Control, partitions
from ganger.operations import limits, look
from ganger.operations.limits import SetLimit

CONTROL = Control("ganger")
QUEUE = partitions("ganger", "bench", 12)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures: dict[str, object] = {}
    for name, limit in (("no limit", 0), ("a limit of 100", 100), ("a limit of 1", 1)):
        with stage() as here:
            found = json.loads((here.directory / "embedded.json").read_text())
            os.environ["GANGER_SEMAPHORES"] = ",".join(found["semaphores"])
            rate, coordinator_us = measure(here, given.jobs, given.workers, limit)
            figures |= {f"{name}, jobs/s": rate, f"{name}, coordinator, us CPU a job": coordinator_us}
    report(f"{given.jobs:,} no-op jobs, {given.workers} workers", figures)


def measure(here: Stage, jobs: int, workers: int, limit: int) -> tuple[float, float]:
    """(jobs per second, what the coordinator used of the CPU for each in us)."""
    from apps.noop import noop

    config = EngineConfig.discover()
    set_default_client(Client(config))
    noop.push_many([()] * jobs)
    cluster = Cluster(config.redis)
    if limit:
        limits.put(cluster, CONTROL, "bench", SetLimit("bench", limit))

    def done() -> int:
        replies = cluster.run_many([look.look_command(one) for one in QUEUE])
        looks = [look.parse_look(reply, one) for reply, one in zip(replies, QUEUE, strict=True)]
        return sum(each.counters.get("succeeded", 0) for each in looks)

    with here.supervisor("apps.noop", workers) as master:
        first, before, from_s = done(), cpu_by_title(master), time.perf_counter()
        wait_for(lambda: done() >= jobs * 0.97, 300, "the jobs to be done", 0.02)
        measured, took_s = done() - first, time.perf_counter() - from_s
        used = sum(
            cpu - before.get(pid, (role, 0.0))[1]
            for pid, (role, cpu) in cpu_by_title(master).items()
            if role == "coordinator"
        )
    cluster.close()
    return measured / took_s, used * 1e6 / measured


if __name__ == "__main__":
    main()

"""Yardsticks: what this machine does without ganger, so that ratios can be quoted where absolute figures
move.

A bare loop of one script that settles and claims 16 or 64 jobs a trip (no supervisor, no lease, no page); and
BRPOP: from before an LPUSH to the pop in a sleeping process, redis-py on both sides.
"""

import os
import time
from pathlib import Path

import redis
from stage import percentile, report, stage

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.config import EngineConfig
from ganger.keys import partitions

MINIMAL = """#!lua flags=allow-oom
if #ARGV > 2 then
  redis.call('XACK', KEYS[1], 'workers', unpack(ARGV, 3))
  redis.call('XDEL', KEYS[1], unpack(ARGV, 3))
end
return redis.call('XREADGROUP', 'GROUP', 'workers', ARGV[1], 'COUNT', ARGV[2], 'STREAMS', KEYS[1], '>')"""


def main() -> None:
    with stage() as here:
        from apps.noop import noop

        noop.push()
        figures: dict[str, object] = {}
        for jobs in (16, 64):
            noop.push_many([()] * 60_000)
            figures[f"bare loop, {jobs} a trip, jobs/s"] = bare_loop(jobs)
        latencies_ms = brpop(here.directory / "popped", here.url)
    figures["BRPOP, push to pop, p50 ms"] = percentile(latencies_ms, 0.5)
    figures["BRPOP, push to pop, p99 ms"] = percentile(latencies_ms, 0.99)
    report("yardsticks", figures)


def bare_loop(jobs: int) -> float:
    """Claim and settle all that waits, partition after partition; jobs a second."""
    cluster = Cluster(EngineConfig.discover().redis)
    done, began_s = 0, time.perf_counter()
    for part in partitions("ganger", "bench", 12):
        ids: list[bytes] = []
        while True:
            call = Command(part.slot, ("EVAL", MINIMAL, 1, part.ready[4], "bare", jobs, *ids))
            reply = cluster.run(call)
            if not reply:
                break
            ids = [entry[0] for entry in reply[0][1]]
            done += len(ids)
    return done / (time.perf_counter() - began_s)


def brpop(path: Path, url: str) -> list[float]:
    """Milliseconds of 400 pushes to a process that sleeps in BRPOP."""
    settings = EngineConfig.discover().redis
    host, port = settings.nodes[0]
    child = os.fork()
    if child == 0:
        server = redis.Redis(host=host, port=port, password=settings.password)
        lines = []
        while (popped := server.brpop(["bench:brpop"], 0)[1]) != b"end":  # type: ignore[index,misc]
            lines.append(f"{time.monotonic_ns() - int(popped)}\n")
        path.write_text("".join(lines))
        os._exit(0)
    server = redis.Redis(host=host, port=port, password=settings.password)
    for _ in range(400):
        time.sleep(0.01)
        server.lpush("bench:brpop", time.monotonic_ns())
    server.lpush("bench:brpop", "end")
    os.waitpid(child, 0)
    return [int(line) / 1e6 for line in path.read_text().splitlines()]


if __name__ == "__main__":
    main()

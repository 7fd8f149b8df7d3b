"""100,000 no-op jobs, all pushed before the start; two workers, the server on the same cores, everything on.

Prints jobs per second and the CPU that a job costs each process. `--jobs N --workers N --shards N`.
"""

import argparse
import time

from stage import cpu_by_title, report, stage, wait_for

from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.keys import partitions
from ganger.operations import look


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with stage(given.shards) as here:
        from apps.noop import noop

        began_s = time.perf_counter()
        noop.push_many([()] * given.jobs)
        push_s = time.perf_counter() - began_s
        cluster = Cluster(EngineConfig.discover().redis)
        queue = partitions("ganger", "bench", 12)

        def done() -> int:
            replies = cluster.run_many([look.look_command(one) for one in queue])
            looks = [look.parse_look(reply, one) for reply, one in zip(replies, queue, strict=True)]
            return sum(each.counters.get("succeeded", 0) for each in looks)

        with here.supervisor("apps.noop", given.workers) as master:
            # The start is not the run: workers begin while the roles are still importing.
            first, before, servers = done(), cpu_by_title(master), here.cpu_of_servers()
            from_s = time.perf_counter()
            wait_for(lambda: done() >= given.jobs * 0.97, 300, "the jobs to be done", 0.02)
            last, took_s = done(), time.perf_counter() - from_s
            after, servers = cpu_by_title(master), here.cpu_of_servers() - servers
            wait_for(lambda: done() == given.jobs, 30, "the last jobs")
    measured = last - first
    figures: dict[str, object] = {
        "pushed in bulk, jobs/s": given.jobs / push_s,
        "jobs measured": measured,
        "jobs/s": measured / took_s,
        "server, us CPU a job": servers * 1e6 / measured,
    }
    roles: dict[str, float] = {}
    for pid, (role, cpu) in after.items():
        roles[role] = roles.get(role, 0.0) + cpu - before.get(pid, (role, cpu))[1]
    figures |= {f"{role}, us CPU a job": cpu * 1e6 / measured for role, cpu in sorted(roles.items())}
    report(f"{given.jobs:,} no-op jobs, {given.workers} workers, {given.shards} shard(s)", figures)


if __name__ == "__main__":
    main()

"""Pushing: one by one, and in bulk per job. `--jobs N --shards N`."""

import argparse
import time

from stage import percentile, report, stage


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with stage(given.shards):
        from apps.noop import noop

        noop.push()
        single = min(given.jobs, 10_000)
        took_us = []
        began_s = time.perf_counter()
        for _ in range(single):
            from_ns = time.perf_counter_ns()
            noop.push()
            took_us.append((time.perf_counter_ns() - from_ns) / 1000)
        single_s = time.perf_counter() - began_s
        began_s, cpu_s = time.perf_counter(), time.process_time()
        noop.push_many([()] * given.jobs)
        bulk_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    report(
        f"pushing, {given.shards} shard(s)",
        {
            "one by one, jobs/s": single / single_s,
            "one by one, p50 us": percentile(took_us, 0.5),
            "one by one, p99 us": percentile(took_us, 0.99),
            "in bulk, jobs/s": given.jobs / bulk_s,
            "in bulk, us CPU a job of the producer": cpu_s * 1e6 / given.jobs,
        },
    )


if __name__ == "__main__":
    main()

"""Pushing no-op jobs from one process: one by one, a hundred a call, all in one call."""

import time

from gangerd.bench.apps import jobs
from gangerd.bench.case import Bench, Figure, median, percentile


def measure(bench: Bench) -> list[Figure]:
    single, bulk = bench.size(8_000, 2_000), bench.size(100_000, 20_000)
    took_us: list[float] = []
    singles, hundreds, bulks, cpu_us = [], [], [], []
    with bench.stage() as stage:
        stage.pushing()
        jobs.noop.push()
        for turn in range(bench.rounds):
            bench.tell(f"round {turn + 1} of {bench.rounds}")
            began_ns = time.perf_counter_ns()
            for _ in range(single):
                from_ns = time.perf_counter_ns()
                jobs.noop.push()
                took_us.append((time.perf_counter_ns() - from_ns) / 1000)
            singles.append(single * 1e9 / (time.perf_counter_ns() - began_ns))
            began_ns = time.perf_counter_ns()
            for _ in range(bulk // 200):
                jobs.noop.push_many([()] * 100)
            hundreds.append(bulk // 200 * 100 * 1e9 / (time.perf_counter_ns() - began_ns))
            began_ns, used_ns = time.perf_counter_ns(), time.process_time_ns()
            jobs.noop.push_many([()] * bulk)
            bulks.append(bulk * 1e9 / (time.perf_counter_ns() - began_ns))
            cpu_us.append((time.process_time_ns() - used_ns) / 1000 / bulk)
    one = median(singles)
    return [
        Figure("push.single", "one by one", one, "jobs/s"),
        Figure("push.single.p50", "one by one, p50", percentile(took_us, 0.5) / 1000, "ms"),
        Figure("push.single.p99", "one by one, p99", percentile(took_us, 0.99) / 1000, "ms"),
        Figure(
            "push.pipelined", "a hundred a call", median(hundreds), "jobs/s", median(hundreds) / one, "single"
        ),
        Figure("push.bulk", "all in one call", median(bulks), "jobs/s", median(bulks) / one, "single"),
        Figure("push.bulk.cpu", "all in one call, CPU a job of the producer", median(cpu_us), "us"),
    ]

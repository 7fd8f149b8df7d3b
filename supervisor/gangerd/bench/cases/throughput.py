"""Throughput: all jobs pushed before the start, two workers, everything on. In turns with the bare loop."""

from gangerd.bench.apps import jobs
from gangerd.bench.bare import bare_rate
from gangerd.bench.case import Bench, Figure, median
from gangerd.bench.rounds import Round, play

WORKERS = 2


def measure(bench: Bench) -> list[Figure]:
    count = bench.size(60_000, 10_000)
    naps, longs = bench.size(4_000, 1_000), bench.size(6, 2)
    noops: list[Round] = []
    bare: dict[int, list[float]] = {16: [], 64: []}
    with bench.stage() as stage:
        unserved, places = stage.queue("bare"), stage.queue("bench")
        stage.pushing()
        with stage.supervisor("jobs", WORKERS) as host:
            play(stage, host, places, 2_000, lambda: jobs.noop.push_many([()] * 2_000))
            for turn in range(bench.rounds):
                bench.tell(f"no-op jobs and bare loops, round {turn + 1} of {bench.rounds}")
                for at_once, rates in bare.items():
                    rates.append(bare_rate(stage, unserved, count, at_once))
                noops.append(play(stage, host, places, count, lambda: jobs.noop.push_many([()] * count)))
            bench.tell("jobs of 1 ms")
            one_ms = play(stage, host, places, naps, lambda: jobs.nap.push_many([(0.001,)] * naps))
            bench.tell("jobs of 1 ms and 1 s")

            def mixed() -> None:
                jobs.nap.push_many([(0.001,)] * naps)
                jobs.long.push_many([(1.0,)] * longs)

            both = play(stage, host, places, naps + longs, mixed, most=1.0)
    return [*_noop(noops, bare), *_naps(one_ms, both, longs + naps / 1000)]


def _noop(noops: list[Round], bare: dict[int, list[float]]) -> list[Figure]:
    rate = median([each.rate for each in noops])
    of_bare = [each.rate / loop for each, loop in zip(noops, bare[16], strict=True)]
    of_64 = [each.rate / loop for each, loop in zip(noops, bare[64], strict=True)]
    figures = [
        Figure("throughput.bare16", "bare loop, 16 jobs a trip", median(bare[16]), "jobs/s"),
        Figure("throughput.bare64", "bare loop, 64 jobs a trip", median(bare[64]), "jobs/s"),
        Figure("throughput.noop", "no-op jobs", rate, "jobs/s", median(of_bare), "the bare loop at 16"),
        Figure("throughput.of_bare64", "the same", rate, "jobs/s", median(of_64), "the bare loop at 64"),
    ]
    for role in ("worker", "servers", "coordinator", "scheduler", "master"):
        used = [each.cpu_us[role] for each in noops if role in each.cpu_us]
        if used:
            figures.append(Figure(f"throughput.cpu.{role}", f"CPU a no-op job, {role}", median(used), "us"))
    return figures


def _naps(one_ms: Round, both: Round, work_s: float) -> list[Figure]:
    return [
        Figure(
            "throughput.one_ms",
            "jobs that sleep for 1 ms",
            one_ms.rate,
            "jobs/s",
            one_ms.rate * 0.001 / WORKERS,
            "workers that lose nothing",
        ),
        Figure(
            "throughput.mixed",
            "jobs of 1 ms and of 1 s, until the last is done",
            both.took_s,
            "s",
            work_s / WORKERS / both.took_s,
            "workers that lose nothing",
        ),
    ]

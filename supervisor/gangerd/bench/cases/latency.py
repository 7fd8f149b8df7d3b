"""From just before a push to the handler's first line: with all asleep, at half load, and beside jobs of 1
s.

Half load is half of what these workers were measured to do just before, pushed one by one at even
distances. The 1 s jobs are of the same type as the short ones, so nobody can know beforehand which is
which."""

import time
from pathlib import Path

from ganger.keys import Partition
from gangerd.bench.apps import jobs
from gangerd.bench.bare import brpop_ms
from gangerd.bench.case import Bench, Figure, quantiles
from gangerd.bench.rounds import play
from gangerd.bench.stage import Host, Stage, wait_for

WORKERS = 4
_SHORT_S = 0.001


def measure(bench: Bench) -> list[Figure]:
    pushes, lasting_s = bench.size(400, 100), bench.size(8, 2)
    with bench.stage() as stage:
        places = stage.queue("bench")
        with stage.supervisor("jobs", WORKERS) as host:
            stage.pushing()
            bench.tell("idle")
            yardstick = brpop_ms(stage, pushes)
            idle = _idle(stage.directory / "idle", pushes)
            bench.tell("how much they can do")
            capacity = _capacity(stage, host, places, bench.size(3_000, 1_000))
            bench.tell("half load")
            half = _load(stage.directory / "half", capacity / 2, lasting_s)
            bench.tell("a quarter load, with a job of 1 s each second")
            beside = _load(stage.directory / "beside", capacity / 4, lasting_s, long_each_s=1.0)
    figures = quantiles("latency.brpop", "BRPOP, no ganger", yardstick, 0.5, 0.99)
    for figure, beside_it in zip(
        quantiles("latency.idle", "idle", idle, 0.5, 0.99), figures[:2], strict=True
    ):
        ratio = figure.value / beside_it.value
        figures.append(Figure(figure.key, figure.name, figure.value, "ms", ratio, "BRPOP"))
    figures.append(Figure("latency.capacity", "jobs of 1 ms, as many as they can", capacity, "jobs/s"))
    figures += quantiles("latency.half", "half load", half, 0.5, 0.99, 1)
    figures += quantiles("latency.beside", "beside jobs of 1 s", beside, 0.5, 0.99, 1)
    return figures


def _idle(path: Path, pushes: int) -> list[float]:
    """One at a time, each after the last has been done and its worker sleeps again."""
    for number in range(pushes):
        jobs.began.push(str(path), time.monotonic_ns())
        wait_for(lambda n=number: _lines(path) > n, 10, "a job", 0.002)  # type: ignore[misc]
        time.sleep(0.005)
    return _waits(path)[pushes // 10 :]


def _capacity(stage: Stage, host: Host, places: tuple[Partition, ...], count: int) -> float:
    path = str(stage.directory / "capacity")
    calls = [(path, 0, _SHORT_S)] * count
    return play(stage, host, places, count, lambda: jobs.began.push_many(calls)).rate


def _load(path: Path, rate: float, lasting_s: float, long_each_s: float = 0.0) -> list[float]:
    """Milliseconds that each short job waited. A producer that comes late pushes fewer, not in bursts."""
    began_s = next_s = time.monotonic()
    next_long_s = began_s + long_each_s if long_each_s else float("inf")
    pushed, longs = 0, str(path) + "-long"
    while (now_s := time.monotonic()) < began_s + lasting_s:
        if now_s >= next_long_s:
            next_long_s += long_each_s
            jobs.began.push(longs, time.monotonic_ns(), 1.0)
        if now_s < next_s:
            time.sleep(next_s - now_s)
        jobs.began.push(str(path), time.monotonic_ns(), _SHORT_S)
        pushed += 1
        next_s = max(next_s + 1 / rate, time.monotonic() - 0.01)
    wait_for(lambda: _lines(path) >= pushed, 60, "the jobs to be done", 0.05)
    return _waits(path)[pushed // 10 :]


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _waits(path: Path) -> list[float]:
    return [int(line.split()[0]) / 1e6 for line in path.read_text().splitlines()]

"""What options cost: jobs with one of them in turns with plain ones, under the same supervisor with two
workers.

A ratio above 1 is the CPU of all processes a job, in multiples of a plain job's; what an option owes when
the job has ended (a batch's marks and callback) is in it. A cron tick and a replicated push have no such
round: each is timed beside a plain push."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ganger import Batch
from ganger.client import Client
from ganger.config import EngineConfig
from ganger.cron.entry import CronEntry
from ganger.keys import Control, Partition
from ganger.operations import cron, retain
from ganger.operations.retain import Retention
from gangerd.bench.apps import jobs
from gangerd.bench.case import Bench, Figure, median
from gangerd.bench.rounds import Round, play
from gangerd.bench.stage import Host, Stage

WORKERS = 2
TENANTS = 10
_LIMITS = """
[limits.bench]
queue = "limited"
concurrency = 100
[limits.paced]
queue = "paced"
rate = "100000/s"
[limits.laned]
type = "bench.laned"
concurrency = 100
[limits.keyed]
type = "bench.keyed"
concurrency = 100
limit_key = "args.tenant"
"""
"""None of them holds a job up."""


@dataclass(frozen=True, slots=True)
class _Option:
    name: str
    queue: str
    push: Callable[[int], Callable[[], object]]
    """Pushes so many; answers how to see that all they owe is paid."""


def _noops(queue: str) -> Callable[[int], Callable[[], object]]:
    def push(count: int) -> Callable[[], object]:
        jobs.noop.options(queue=queue).push_many([()] * count)
        return lambda: True

    return push


def _laned(count: int) -> Callable[[], object]:
    jobs.laned.push_many([()] * count)
    return lambda: True


def _keyed(count: int) -> Callable[[], object]:
    jobs.keyed.push_many([(number % TENANTS,) for number in range(count)])
    return lambda: True


def _tracked(count: int) -> Callable[[], object]:
    jobs.tracked.push_many([()] * count)
    return lambda: True


def _unique(count: int) -> Callable[[], object]:
    first = time.monotonic_ns()
    jobs.unique.push_many([(first + number,) for number in range(count)])
    return lambda: True


def _batch(count: int) -> Callable[[], object]:
    with Batch(success=jobs.noop) as batch:
        batch.push_many(jobs.noop.options(queue="batch"), [()] * count)
    return lambda: batch.status().state == "success"


PLAIN = _Option("plain", "bench", _noops("bench"))
OPTIONS = [
    _Option("tracked", "tracked", _tracked),
    _Option("unique", "unique", _unique),
    _Option("batch", "batch", _batch),
    _Option("retained", "retained", _noops("retained")),
    _Option("limit", "limited", _noops("limited")),
    _Option("rate", "paced", _noops("paced")),
    _Option("limit on a type", "laned", _laned),
    _Option("limit by key", "keyed", _keyed),
]
_LIMITED = {"limited", "paced", "laned", "keyed"}


def measure(bench: Bench) -> list[Figure]:
    count = bench.size(10_000, 3_000)
    with bench.stage() as stage:
        options = [one for one in OPTIONS if one.queue not in _LIMITED or stage.semaphores]
        places = {one.queue: stage.queue(one.queue) for one in (PLAIN, *options)}
        retain.want(stage.cluster, Control(stage.namespace), "retained", Retention(3_600_000))
        retain.apply(stage.cluster, places["retained"], Retention(3_600_000))
        wrapped = stage.queue("wrapped")
        settings = _LIMITS if stage.semaphores else ""
        seen: dict[str, list[tuple[Round, Round]]] = {}
        with (
            stage.supervisor("jobs", WORKERS, queues=list(places), settings=settings) as host,
            stage.supervisor("wrapped", WORKERS, queues=["wrapped"]) as other,
        ):
            for one in (PLAIN, *options):
                _round(stage, host, places[one.queue], one, 500)
            for turn in range(bench.rounds):
                for one in options:
                    bench.tell(f"{one.name}, round {turn + 1} of {bench.rounds}")
                    plain = _round(stage, host, places["bench"], PLAIN, count)
                    seen.setdefault(one.name, []).append(
                        (plain, _round(stage, host, places[one.queue], one, count))
                    )
                plain = _round(stage, host, places["bench"], PLAIN, count)
                middleware = _Option("a middleware", "wrapped", _noops("wrapped"))
                seen.setdefault("a middleware", []).append(
                    (plain, _round(stage, other, wrapped, middleware, count))
                )
        bench.tell("cron")
        figures = [figure for name, pairs in seen.items() for figure in _figures(name, pairs)]
        figures.append(_cron(stage, bench.size(1000, 200)))
    if stage.servers:
        bench.tell("replicated")
        figures.append(_replicated(bench, bench.size(1000, 200)))
    return figures


def _round(stage: Stage, host: Host, places: tuple[Partition, ...], option: _Option, count: int) -> Round:
    over: list[Callable[[], object]] = []
    return play(stage, host, places, count, lambda: over.append(option.push(count)), over=lambda: over[0]())


def _figures(name: str, pairs: list[tuple[Round, Round]]) -> list[Figure]:
    cpu = median([with_it.all_cpu_us for _, with_it in pairs])
    more_cpu = median([with_it.all_cpu_us / plain.all_cpu_us for plain, with_it in pairs])
    rate = median([with_it.rate for _, with_it in pairs])
    slower = median([with_it.rate / plain.rate for plain, with_it in pairs])
    push = median([with_it.push_rate for _, with_it in pairs])
    slower_push = median([with_it.push_rate / plain.push_rate for plain, with_it in pairs])
    return [
        Figure(f"options.{name}.cpu", f"{name}: CPU a job", cpu, "us", more_cpu, "plain"),
        Figure(f"options.{name}.rate", f"{name}: done", rate, "jobs/s", slower, "plain"),
        Figure(f"options.{name}.push", f"{name}: pushed in bulk", push, "jobs/s", slower_push, "plain"),
    ]


def _cron(stage: Stage, times: int) -> Figure:
    """A tick by hand, as the scheduler fires one, and a push, in turns."""
    places = stage.queue("cron")
    made = (
        CronEntry(f"bench-{n}", "bench.noop", "* * * * *", "UTC", "cron", 5, args=[]) for n in range(10_000)
    )
    entry = next(one for one in made if one.partition(places) == places[0])
    stage.client.push("bench.noop", queue="cron")
    cron.begin(stage.cluster, places[0], entry)
    return _beside_a_push(
        "cron",
        "a cron tick",
        stage.client,
        lambda: cron.fire(stage.cluster, places[0], entry, None, time.time_ns() // 1_000_000),
        times,
    )


def _replicated(bench: Bench, times: int) -> Figure:
    with bench.stage(replica=True) as stage:
        config = stage.config
        waiting = Client(EngineConfig(config.redis, namespace=config.namespace, durability="replicated"))
        try:
            push = partial(waiting.push, "bench.noop", queue="cron")
            return _beside_a_push("replicated", "a replicated push", stage.client, push, times)
        finally:
            waiting.close()


def _beside_a_push(key: str, name: str, client: Client, act: Callable[[], object], times: int) -> Figure:
    """The middle one of so many, and its ratio to that of plain pushes in turns with them."""
    took_us: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * times):
        plain = bool(number % 2)
        began_ns = time.perf_counter_ns()
        if plain:
            client.push("bench.noop", queue="cron")
        else:
            act()
        took_us[plain].append((time.perf_counter_ns() - began_ns) / 1000)
    value, beside = median(took_us[False]), median(took_us[True])
    return Figure(f"options.{key}", name, value / 1000, "ms", value / beside, "a push")

"""Throughput of no-op jobs by shards, by partitions and by queues, each in turns with the others."""

from collections.abc import Sequence
from contextlib import ExitStack

from ganger.keys import Partition
from gangerd.bench.apps import jobs
from gangerd.bench.case import Bench, Figure, median
from gangerd.bench.rounds import Round, play
from gangerd.bench.stage import Host, Stage

WORKERS = 2
PARTITIONS = (1, 2, 4, 8, 12, 16)
_QUEUES = 100


def measure(bench: Bench) -> list[Figure]:
    count = bench.size(20_000, 6_000)
    return [*_shards(bench, count), *_partitions(bench, count), *_queues(bench, count)]


def _shards(bench: Bench, count: int) -> list[Figure]:
    seen: dict[int, list[float]] = {}
    with ExitStack() as stack:
        grounds: list[tuple[int, Stage, tuple[Partition, ...], Host]] = []
        for shards in (1, 2, 3):
            stage = stack.enter_context(bench.stage(shards=shards))
            if not stage.servers:
                return []  # it has as many as it has
            places = stage.queue("bench")
            grounds.append((shards, stage, places, stack.enter_context(stage.supervisor("jobs", WORKERS))))
        for turn in range(bench.rounds):
            for shards, stage, places, host in grounds:
                bench.tell(f"{shards} shards, round {turn + 1} of {bench.rounds}")
                seen.setdefault(shards, []).append(_noops(stage, host, places, ["bench"], count).rate)
    return [_of_first(f"spread.shards.{n}", f"shards: {n}", rates, seen[1], "1") for n, rates in seen.items()]


def _partitions(bench: Bench, count: int) -> list[Figure]:
    seen: dict[int, list[float]] = {}
    with bench.stage() as stage:
        queues = {n: stage.queue(f"p{n}", n) for n in PARTITIONS}
        with stage.supervisor("jobs", WORKERS, queues=[f"p{n}" for n in PARTITIONS]) as host:
            for turn in range(bench.rounds):
                for n, places in queues.items():
                    bench.tell(f"{n} partitions, round {turn + 1} of {bench.rounds}")
                    seen.setdefault(n, []).append(_noops(stage, host, places, [f"p{n}"], count).rate)
    return [
        _of_first(f"spread.partitions.{n}", f"partitions: {n}", rates, seen[1], "1")
        for n, rates in seen.items()
    ]


def _queues(bench: Bench, count: int) -> list[Figure]:
    one: list[Round] = []
    many: list[Round] = []
    count = count // _QUEUES * _QUEUES * 3
    with bench.stage() as stage:
        names = [f"q{number}" for number in range(_QUEUES)]
        places = stage.queue("bench")
        everywhere = [place for name in names for place in stage.queue(name)]
        with stage.supervisor("jobs", WORKERS, queues=["bench", *names]) as host:
            for turn in range(bench.rounds):
                bench.tell(f"{_QUEUES} queues, round {turn + 1} of {bench.rounds}")
                one.append(_noops(stage, host, places, ["bench"], count))
                many.append(_noops(stage, host, everywhere, names, count))
    cpu = median([each.all_cpu_us for each in many])
    more = median([each.all_cpu_us / plain.all_cpu_us for each, plain in zip(many, one, strict=True)])
    rates = [each.rate for each in one]
    return [
        _of_first("spread.queues", f"queues: {_QUEUES}", [each.rate for each in many], rates, "1"),
        Figure("spread.queues.cpu", f"queues: {_QUEUES}, CPU a job", cpu, "us", more, "1"),
    ]


def _noops(stage: Stage, host: Host, places: Sequence[Partition], queues: Sequence[str], count: int) -> Round:
    def push() -> None:
        for queue in queues:
            jobs.noop.options(queue=queue).push_many([()] * (count // len(queues)))

    return play(stage, host, places, count, push)


def _of_first(key: str, name: str, rates: list[float], first: list[float], to: str) -> Figure:
    ratio = median([rate / beside for rate, beside in zip(rates, first, strict=True)])
    return Figure(key, name, median(rates), "jobs/s", ratio, to)

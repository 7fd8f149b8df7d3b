"""What it costs the server to claim and settle a job, by what waits: 1,000 jobs, 100,000, 5,000,000, and
1,000 beside a million that are scheduled.

The same trips as a worker's, in turns from each of these queues, which are filled up again after each
sweep over their partitions. The cost is the CPU of the servers; where they are not ours, the time of the
trips."""

import time
from collections.abc import Sequence

from ganger.job import Body, Entry, encode_body
from ganger.keys import Partition
from ganger.label import NO_LABEL
from ganger.operations import claim, settle
from ganger.pushing import Target
from gangerd.bench.case import Bench, Figure, percentile
from gangerd.bench.stage import Stage

_HOST, _WORKER = "00000000000000be", "00000000000000bf"
_CAP = 64
_COSTS = claim.pack_costs({"bench.noop": 5})
_AT_ONCE = 100_000


def measure(bench: Bench) -> list[Figure]:
    depths = [1_000, bench.size(100_000, 10_000), bench.size(5_000_000, 200_000)]
    scheduled = bench.size(1_000_000, 20_000)
    cost_us: dict[str, list[float]] = {}
    with bench.stage() as stage:
        names = {f"{depth:,} waiting": depth for depth in depths} | {f"{scheduled:,} scheduled": depths[0]}
        queues = {name: stage.queue(f"depth{at}") for at, name in enumerate(names)}
        for (name, depth), places in zip(names.items(), queues.values(), strict=True):
            bench.tell(f"pushing for {name}")
            _fill(stage, places, depth)
        _fill(stage, queues[f"{scheduled:,} scheduled"], scheduled, delay_ms=24 * 3_600_000)
        sweeper = _Sweeper(stage)
        turns = bench.size(40, 12)
        for turn in range(turns + 2):
            bench.tell(f"sweep {turn} of {turns}")
            for name, places in _rotated(queues, turn):
                us = sweeper.sweep(places)
                if turn > 1:
                    cost_us.setdefault(name, []).append(us)
    first = cost_us[f"{depths[0]:,} waiting"]
    return [
        Figure(
            f"depth.{name.replace(',', '').replace(' ', '.')}",
            f"{name}, a job claimed and settled",
            _calm(costs),
            "us",
            _calm(costs) / _calm(first),
            f"{depths[0]:,} waiting",
        )
        for name, costs in ((name, cost_us[name]) for name in names)
    ]


def _calm(costs: Sequence[float]) -> float:
    """That of the sweep which a quarter of the others beat: what disturbs the machine only ever adds."""
    return percentile(costs, 0.25)


def _rotated(queues: dict[str, tuple[Partition, ...]], turn: int) -> list[tuple[str, tuple[Partition, ...]]]:
    """Who goes first pays for cold caches: each in its turn."""
    items = list(queues.items())
    turn %= len(items)
    return items[turn:] + items[:turn]


def _fill(stage: Stage, places: Sequence[Partition], jobs: int, delay_ms: int | None = None) -> None:
    target = Target(places[0].queue, 5, "bench.noop", delay_ms=delay_ms)
    body = encode_body(Body([], {}, time.time_ns() // 1_000_000), NO_LABEL)
    for at in range(0, jobs, _AT_ONCE):
        stage.client.pusher.push_many(target, [body] * min(_AT_ONCE, jobs - at))


class _Sweeper:
    """A worker's trips: what the last one brought is settled with the next one's claim."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._op = 0

    def sweep(self, places: Sequence[Partition]) -> float:
        """A trip to each partition; us a job. As many jobs are pushed afterwards."""
        used_s, began_ns = self._stage.servers_cpu_s(), time.perf_counter_ns()
        taken, held = 0, list[Entry]()
        for place in places:
            held = self._trip(place, held)
            taken += len(held)
        self._trip(None, held)
        took_us = (time.perf_counter_ns() - began_ns) / 1000
        used_s = self._stage.servers_cpu_s() - used_s
        _fill(self._stage, places, taken)
        return (used_s * 1e6 if self._stage.servers else took_us) / taken

    def _trip(self, place: Partition | None, held: list[Entry]) -> list[Entry]:
        commands = []
        if held:
            ids = {held[0].stream: [entry.id for entry in held]}
            commands.append(settle.command(held[0].partition, "succeeded", ids))
        if place is not None:
            self._op += 1
            words = (_HOST, _WORKER, self._op, 50_000, _CAP, 1 << 22, _COSTS)
            commands.append(claim.command(place, *words, ahead=16))
        replies = self._stage.cluster.run_many(commands)
        if place is None:
            return []
        return claim.parse(replies[-1], place).entries

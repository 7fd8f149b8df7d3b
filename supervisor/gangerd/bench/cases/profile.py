"""Where a microsecond goes: of a no-op job, in the worker by samples of its CPU time, in the server by its
own account of commands."""

import json
from collections import Counter
from pathlib import Path

from gangerd.bench.apps import jobs
from gangerd.bench.apps.sampled import PLACE
from gangerd.bench.case import Bench, Figure
from gangerd.bench.commandstats import Spent, spent
from gangerd.bench.rounds import Round, play

_PARTS = {
    "transport: packing, sockets, reading replies": ("ganger.wire", "ganger.cluster"),
    "making claims and settles": (
        "gangerd.worker.fetch",
        "ganger.operations.settle",
        "ganger.operations.claim:command",
        "ganger.scripts",
        "ganger.calls",
        "gangerd.worker.costs",
    ),
    "decoding: entries, bodies, arguments": (
        "ganger.operations.claim",
        "ganger.job",
        "ganger.label",
        "ganger.actor",
        "ganger.arguments",
        "ganger.keys",
    ),
    "the page (recorder) and its lock": (
        "gangerd.page",
        "gangerd.recorder",
        "gangerd.worker.hand",
        "gangerd.linux.shared_memory",
    ),
    "the attempt around the handler": (
        "gangerd.worker.perform",
        "gangerd.worker.overdue",
        "ganger.current",
        "gangerd.worker.allowance",
        "gangerd.bench",
    ),
    "the loop and the choice of a partition": ("gangerd.worker", "gangerd.board"),
}
_INNER = ("xreadgroup", "xack", "xdel", "xlen", "hget", "hset", "hmget", "hincrby", "time")


def measure(bench: Bench) -> list[Figure]:
    count = bench.size(150_000, 30_000)
    with bench.stage() as stage:
        places, samples = stage.queue("bench"), stage.directory / "samples"
        samples.mkdir()
        with stage.supervisor("sampled", 2, environment={PLACE: str(samples)}) as host:
            bench.tell(f"{count:,} no-op jobs")
            before: dict[str, Spent] = {}

            def push() -> None:
                jobs.noop.push_many([()] * count)
                before.update(spent(stage))

            seen = play(stage, host, places, count, push)
            after = spent(stage)
    return [*_worker(samples, seen), *_server(before, after, seen, count)]


def _worker(samples: Path, seen: Round) -> list[Figure]:
    counted: Counter[str] = Counter()
    for path in samples.iterdir():
        for line, times in json.loads(path.read_bytes()).items():
            counted[_part(line)] += times
    whole = counted.total() or 1
    cpu_us = seen.cpu_us.get("worker", 0.0)
    figures = [Figure("profile.worker", "worker, all of it", cpu_us, "us", 1.0, "the worker")]
    for number, name in enumerate((*_PARTS, "what else runs")):
        share = counted[name] / whole
        figures.append(
            Figure(f"profile.worker.{number}", f"worker: {name}", cpu_us * share, "us", share, "the worker")
        )
    return figures


def _part(line: str) -> str:
    return next(
        (part for part, modules in _PARTS.items() if any(line.startswith(module) for module in modules)),
        "what else runs",
    )


def _server(before: dict[str, Spent], after: dict[str, Spent], seen: Round, count: int) -> list[Figure]:
    def us(name: str) -> float:
        return (after.get(name, Spent(0, 0)).us - before.get(name, Spent(0, 0)).us) / count

    scripts = us("evalsha") + us("eval")
    whole = seen.cpu_us.get("servers", scripts)
    inner = {name: us(name) for name in _INNER}
    figures = [Figure("profile.server", "server, all of it", whole, "us", 1.0, "the server")]
    rows = {
        "outside scripts: sockets, append-only file": max(0.0, whole - scripts),
        **{f"{name.upper()} in scripts": used for name, used in inner.items() if used >= 0.05},
        "Lua, and what it calls else": max(0.0, scripts - sum(u for u in inner.values() if u >= 0.05)),
    }
    return figures + [
        Figure(f"profile.server.{number}", f"server: {name}", used, "us", used / (whole or 1), "the server")
        for number, (name, used) in enumerate(rows.items())
    ]

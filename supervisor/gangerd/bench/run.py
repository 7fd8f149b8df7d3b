"""A run: the chosen cases one after the other, what they were measured on, and what became of the targets."""

import importlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from ganger.errors import GangerError
from ganger.wire.server_check import read_info
from gangerd.bench.case import Bench, Figure
from gangerd.bench.cases import CASES
from gangerd.bench.stage import Stage, guest_stage, own_stage
from gangerd.bench.targets import judged
from gangerd.errors import GangerdError


class Played(msgspec.Struct, frozen=True):
    """One case: its figures, or in a sentence why there are none."""

    name: str
    about: str
    took_s: float
    figures: list[Figure]
    failed: str = ""


def play(
    names: Sequence[str],
    *,
    quick: bool,
    redis: str,
    semaphores: Sequence[str],
    tell: Callable[[str], None],
) -> Iterator[Played]:
    """Each case when it is over. `redis` is the URL of the cluster to measure on, empty for servers of our
    own. A case that fails is told, and the next one is played."""
    with tempfile.TemporaryDirectory(prefix="ganger-bench-") as directory:
        for name in names:
            stage: Callable[..., AbstractContextManager[Stage]] = partial(own_stage, Path(directory))
            if redis:
                stage = partial(guest_stage, Path(directory), redis, semaphores)
            yield _play(name, Bench(stage, quick, lambda text, name=name: tell(f"{name}: {text}")))  # type: ignore[misc]


def _play(name: str, bench: Bench) -> Played:
    bench.tell("starting")
    began_s = time.monotonic()
    figures: list[Figure] = []
    failed = ""
    try:
        figures = importlib.import_module(f"gangerd.bench.cases.{name}").measure(bench)
    except (GangerError, GangerdError, OSError) as error:
        failed = str(error)
    return Played(name, CASES[name], round(time.monotonic() - began_s, 1), figures, failed)


def measured_on(redis: str, semaphores: Sequence[str]) -> dict[str, Any]:
    """The machine and the versions. Starts servers for a moment where they are our own."""
    with tempfile.TemporaryDirectory(prefix="ganger-bench-") as directory:
        place = Path(directory)
        with guest_stage(place, redis, semaphores) if redis else own_stage(place) as stage:
            nodes = stage.cluster.nodes()
            info = read_info(stage.cluster.run_on(nodes[0], ("INFO", "server")))
    kind = "Valkey" if "valkey_version" in info else "Redis"
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "load_before": round(os.getloadavg()[0], 2),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "ganger": version("ganger"),
        "server": f"{kind} {info.get('valkey_version', info.get('redis_version', '?'))}",
        "primaries": len(nodes),
        "own_servers": not redis,
        "at": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    }


def document(machine: dict[str, Any], quick: bool, played: Sequence[Played]) -> dict[str, Any]:
    """All of a run, as --json writes it."""
    figures = {figure.key: figure for each in played for figure in each.figures}
    return {
        "measured_on": machine,
        "quick": quick,
        "took_s": round(sum(each.took_s for each in played), 1),
        "cases": msgspec.to_builtins(list(played)),
        "targets": msgspec.to_builtins(judged(figures)),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()

"""What is wanted of the figures, and whether they are so. Those that are relative to other systems are
judged where these are measured. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from gangerd.bench.case import Figure


@dataclass(frozen=True, slots=True)
class Target:
    """`ratio`: the figure's ratio is meant, not its value. Held if it is at least, or at most, so much."""

    what: str
    key: str
    bound: float
    unit: str
    at_least: bool
    ratio: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    what: str
    wanted: str
    measured: float
    unit: str
    held: bool
    missed_by: float
    """A part of the bound: 0.1 is a tenth beside it. 0 where it is held."""


TARGETS = (
    Target("no-op jobs, of the bare loop at 16 a trip", "throughput.noop", 0.70, "", True, ratio=True),
    Target("push in bulk", "push.bulk", 150_000, "jobs/s", True),
    Target("push one by one", "push.single", 8_000, "jobs/s", True),
    Target("push to start at half load, p99", "latency.half.p99", 10, "ms", False),
    Target("a job beside jobs of 1 s, longest wait", "latency.beside.longest", 50, "ms", False),
    Target("idle CPU of all processes, 4 workers", "idle.tree", 0.3, "% of a core", False),
    Target("memory with pandas, 4 workers", "memory.pandas", 110, "MB", False),
    Target("memory of 200 workers of an app of 100 MB", "memory.200", 1_000, "MB", False),
    Target("a claim with 5,000,000 waiting, to 1,000", "depth.5000000.waiting", 1.10, "", False, ratio=True),
    Target("64 workers with jobs of 100 ms: running", "crowd.running", 0.95, "", True, ratio=True),
)


def judged(figures: Mapping[str, Figure]) -> list[Judged]:
    """Of those that were measured."""
    found = []
    for target in TARGETS:
        figure = figures.get(target.key)
        if figure is None:
            continue
        measured = figure.ratio if target.ratio else figure.value
        if measured is None:
            continue
        held = measured >= target.bound if target.at_least else measured <= target.bound
        wanted = f"at {'least' if target.at_least else 'most'} {target.bound:,g} {target.unit}".rstrip()
        beside = abs(measured - target.bound) / target.bound
        found.append(
            Judged(target.what, wanted, measured, target.unit, held, 0.0 if held else round(beside, 3))
        )
    return found

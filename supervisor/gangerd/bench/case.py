"""What a case of the benchmarks is, and what it tells: figures, each with a ratio where a yardstick is there.

Absolute figures move with the machine and the hour; ratios are of two things measured in turns in one run."""

import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from gangerd.bench.stage import Stage


@dataclass(frozen=True, slots=True)
class Figure:
    """`key` is its name for programs. `ratio` is to what `to` says."""

    key: str
    name: str
    value: float
    unit: str
    ratio: float | None = None
    to: str = ""


class Staging(Protocol):
    """Opens a stage: servers with nothing on them, or a namespace of its own on the configured cluster."""

    def __call__(self, *, shards: int = 1, replica: bool = False) -> AbstractContextManager[Stage]: ...


@dataclass(frozen=True, slots=True)
class Bench:
    """What a case is given. `tell` says what is being done just now."""

    stage: Staging
    quick: bool = False
    tell: Callable[[str], None] = field(default=lambda text: None)

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    @property
    def rounds(self) -> int:
        """How often things are measured in turns."""
        return self.size(3, 1)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def quantiles(key: str, name: str, values_ms: Sequence[float], *shares: float) -> list[Figure]:
    """p50, p99 ... of times in ms; a share of 1 is the longest."""
    words = {share: "longest" if share == 1 else f"p{share * 100:g}" for share in shares}
    return [
        Figure(f"{key}.{word}", f"{name}, {word}", percentile(values_ms, share), "ms")
        for share, word in words.items()
    ]

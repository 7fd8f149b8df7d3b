"""Housekeeping in small steps: old memo fields, old dead letters, leases of a clock that was ahead, consumers
of hosts that are gone. Never more than a step a call.

A round over all partitions is spread over the loop's rounds, so that no duty of the leader waits for it.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from ganger.cluster import Cluster
from ganger.errors import GangerError
from ganger.keys import Partition
from ganger.operations import recover, track, unique, upkeep
from gangerd.config import Config

DEADLINE_S = 0.8


class Steps:
    """`start` begins a round of some work, `step` does the next piece: rounds take turns, so that a long one
    holds up no other."""

    def __init__(self) -> None:
        self._rounds: dict[str, Iterator[Callable[[], object]]] = {}

    def start(self, name: str, work: Iterable[Callable[[], object]]) -> None:
        """Nothing is begun while the last round of that name goes on: with many partitions it may take longer
        than until the next is due."""
        self._rounds.setdefault(name, iter(work))

    def step(self) -> bool:
        """Whether there was one. A step that fails is left to the next round."""
        for name, work in list(self._rounds.items()):
            del self._rounds[name]
            for action in work:
                self._rounds[name] = work  # at the end of the line
                with contextlib.suppress(GangerError):
                    action()
                return True
        return False

    def forget(self) -> None:
        self._rounds = {}


def sweep(cluster: Cluster, partitions: Iterable[Partition]) -> Iterator[Callable[[], object]]:
    """The steps that sweep memos, locks and tracks, as many per partition as their size takes; and a step for
    its leases."""
    for partition in partitions:
        yield partial(recover.restamp, cluster, partition, deadline_s=DEADLINE_S)
        for sweep_one in (upkeep.sweep_memo, unique.sweep, track.sweep):
            yield from _to_its_end(partial(sweep_one, cluster, partition))


def _to_its_end(sweep_from: Callable[..., tuple[int, int]]) -> Iterator[Callable[[], object]]:
    """Steps until the cursor that they answer is 0 again."""
    cursor = 0

    def once() -> None:
        nonlocal cursor
        at, cursor = cursor, 0  # one that fails ends this round: its node may be gone for long
        cursor, _ = sweep_from(at, deadline_s=DEADLINE_S)

    yield once
    while cursor:
        yield once


def trim_dead(
    cluster: Cluster, partitions: Iterable[Partition], config: Config
) -> Iterator[Callable[[], object]]:
    """The steps that keep the dead letters within their bounds: a hundred go a step."""
    for partition in partitions:
        went = [0]

        def once(partition: Partition = partition, went: list[int] = went) -> None:
            went[0] = 0
            bounds = config.dead_bounds(partition.queue)
            went[0] = upkeep.trim_dead(cluster, partition, *bounds, deadline_s=DEADLINE_S)

        yield once
        while went[0]:
            yield once


def drop_consumers(cluster: Cluster, partitions: Iterable[Partition]) -> Iterator[Callable[[], object]]:
    """The steps that delete consumers which have had nothing for an hour."""
    for partition in partitions:
        yield partial(recover.drop_consumers, cluster, partition, deadline_s=DEADLINE_S)

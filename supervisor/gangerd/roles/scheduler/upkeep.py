"""Housekeeping in small steps: old memo fields, old dead letters, consumers of hosts that are gone. Never
more than a step a call.

A round over all partitions is spread over the loop's rounds, so that no duty of the leader waits for it.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain

from ganger.cluster import Cluster
from ganger.errors import GangerError
from ganger.keys import Partition
from ganger.operations import recover, track, unique, upkeep
from gangerd.config import Config

DEADLINE_S = 0.8


class Steps:
    """`step` does the next piece of work; `start` adds a round after those under way."""

    def __init__(self) -> None:
        self._work: Iterator[Callable[[], object]] = iter(())

    def start(self, work: Iterable[Callable[[], object]]) -> None:
        self._work = chain(self._work, work)

    def step(self) -> bool:
        """Whether there was one. A step that fails is left to the next round."""
        for action in self._work:
            with contextlib.suppress(GangerError):
                action()
            return True
        return False

    def forget(self) -> None:
        self._work = iter(())


def sweep(cluster: Cluster, partitions: Iterable[Partition]) -> Iterator[Callable[[], object]]:
    """The steps that sweep memos, locks and tracks: as many per partition as their size takes."""
    for partition in partitions:
        for sweep_one in (upkeep.sweep_memo, unique.sweep, track.sweep):
            yield from _to_its_end(partial(sweep_one, cluster, partition))


def _to_its_end(sweep_from: Callable[..., tuple[int, int]]) -> Iterator[Callable[[], object]]:
    """Steps until the cursor that they answer is 0 again."""
    cursor = 0

    def once() -> None:
        nonlocal cursor
        cursor, _ = sweep_from(cursor, deadline_s=DEADLINE_S)

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

"""What a worker sees of the work that waits on its host: the board's directory as partitions, and what to
visit next.

Combines the board (shared memory) with the choice (pure). The worker loop calls; nothing here talks to Redis.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from ganger.errors import BadName
from ganger.keys import Partition, partitions
from gangerd import log
from gangerd.board import Board
from gangerd.passes import Track
from gangerd.worker.choice import Choice, QueueChoice, StrictChoice, pick_partition


@dataclass(frozen=True, slots=True)
class Target:
    """A partition to visit; `seen` is the signal that sent us there. `line`: of a limited queue its number in
    the board's directory, else -1. `laned`: one of its lanes is next, the pass says which (`at`); then `lane`
    is its id. `marked`: what the partition must have been told of lanes. `keys`: by which argument types are
    told apart."""

    index: int
    partition: Partition
    seen: int
    line: int = -1
    laned: bool = False
    lane: str = ""
    marked: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Stretch:
    first: int
    count: int
    partitions: tuple[Partition, ...]
    last: int
    line: int
    limited: bool
    laned: bool
    keys: Mapping[str, str]
    marks: str
    lane_was_last: bool = False


class Sight:
    """`strict`: the queues in the order that rules out all weights; empty: the weights rule. `admits(line)`:
    whether there is a pass for a limited queue; without one it counts as empty. `admits_to_lane(line)`: the
    same for its lanes."""

    def __init__(
        self,
        board: Board,
        namespace: str,
        strict: Sequence[str] = (),
        admits: Callable[[int], bool] = lambda line: False,
        admits_to_lane: Callable[[int], bool] = lambda line: False,
    ) -> None:
        self._board = board
        self._namespace = namespace
        self._strict = strict
        self._admits = admits
        self._admits_to_lane = admits_to_lane
        self._word = 0
        self._stretches: dict[str, _Stretch] = {}
        self._choice: Choice = QueueChoice({})
        self._patrolled = random.randrange(1 << 16)

    def anything(self) -> bool:
        """Whether something waits, without choosing."""
        if self._board.directory_word != self._word:
            self._read_directory()
        return any(
            (stretch.laned and self._admits_to_lane(stretch.line))
            or (
                self._board.anything(stretch.first, stretch.count)
                and (not stretch.limited or self._admits(stretch.line))
            )
            for stretch in self._stretches.values()
        )

    def next(self) -> Target | None:
        """The partition to claim from now; None when nothing waits on this host's queues."""
        if self._board.directory_word != self._word:
            self._read_directory()
        waiting = [
            queue
            for queue, stretch in self._stretches.items()
            if self._board.anything(stretch.first, stretch.count)
            and (not stretch.limited or self._admits(stretch.line))
        ]
        laned = [
            queue
            for queue, stretch in self._stretches.items()
            if stretch.laned and self._admits_to_lane(stretch.line)
        ]
        if not waiting and not laned:
            return None
        queue = self._choice.pick([*waiting, *(queue for queue in laned if queue not in waiting)])
        stretch = self._stretches[queue]
        if queue in laned and not (queue in waiting and stretch.lane_was_last):
            stretch.lane_was_last = True
            return Target(stretch.first, stretch.partitions[0], 0, stretch.line, laned=True)
        stretch.lane_was_last = False
        index = pick_partition(list(self._board.waiting(stretch.first, stretch.count)), stretch.last)
        if index is None:  # a sibling was quicker
            self.passed_over()
            return self.next()
        stretch.last = index
        place = stretch.partitions[index - stretch.first]
        line = stretch.line if stretch.limited else -1
        return Target(index, place, self._board.signals[index], line, marked=stretch.marks, keys=stretch.keys)

    def at(self, target: Target, track: Track) -> Target | None:
        """The lane that the pass in hand is for; None when the directory has changed meanwhile."""
        for stretch in self._stretches.values():
            place = track.place - stretch.first
            if stretch.laned and stretch.line == target.line and 0 <= place < stretch.count:
                partition = stretch.partitions[place]
                return replace(target, index=track.place, partition=partition, lane=f"{track.lane:016x}")
        return None

    def passed_over(self) -> None:
        """The target was not visited: somebody else took the last pass. It costs no turn."""
        self._choice.charge(0)

    def patrol(self, most: int) -> list[Target]:
        """Partitions to try without any sign that work waits there, the next ones in turn: for the time in
        which nobody keeps the board. Limited queues stand still then: nobody renews a pass."""
        if self._board.directory_word != self._word:
            self._read_directory()
        every = [
            Target(stretch.first + place, partition, self._board.signals[stretch.first + place])
            for stretch in self._stretches.values()
            if stretch.line < 0
            for place, partition in enumerate(stretch.partitions)
        ]
        start = self._patrolled % len(every) if every else 0
        self._patrolled = start + most
        return [*every[start:], *every[:start]][:most]

    def drained(self, target: Target, part: float) -> None:
        """Nothing is left there, as of the signal seen before the claim left. The visit brought this part of
        what one may bring, from 0 to 1, and costs no more of the queue's turn."""
        self._board.drained[target.index] = target.seen
        self.charge(part)

    def charge(self, part: float) -> None:
        """The visit brought this part of what one may bring."""
        if part < 1:
            self._choice.charge(part)

    def _read_directory(self) -> None:
        self._word = self._board.directory_word
        first, stretches = 0, {}
        try:
            lines = self._board.directory()
            for number, line in enumerate(lines):
                place = first + random.randrange(line.partitions)  # siblings start at different partitions
                held = partitions(self._namespace, line.queue, line.partitions)
                stretches[line.queue] = _Stretch(
                    first=first,
                    count=line.partitions,
                    partitions=held,
                    last=place,
                    line=number if line.limited or line.laned else -1,
                    limited=line.limited,
                    laned=line.laned,
                    keys=line.keys,
                    marks=line.marks,
                )
                first += line.partitions
        except (msgspec.MsgspecError, BadName) as error:
            # Somebody has written over it. What was known goes on, until the coordinator writes it anew.
            log.get().error(log.INTERNAL_ERROR, what="the board's directory", error=str(error))
            return
        self._stretches = stretches
        weights = {line.queue: line.weight for line in lines}
        self._choice = StrictChoice(self._strict) if self._strict else QueueChoice(weights)

"""Look: what a partition holds right now. Read-only; `peek` is cheap enough for a poll each second, a sample
of the types that wait is for people who look."""

from dataclasses import dataclass, field
from typing import Any

from ganger.calls import checked
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.keys import Partition
from ganger.lifecycle import COUNTERS
from ganger.scripts import script

LOOK_S = 1.5
"""How long whoever looks waits for a node that does not answer."""
SAMPLE_PER_STREAM = 20
SAMPLE_OF_LATER = 50


@dataclass(frozen=True, slots=True)
class Peek:
    """Whether a visit is worth it: the highest waiting priority (0 = nothing waits), the next due job, and
    whether jobs wait in lanes."""

    highest: int
    next_due_in_ms: int | None
    lanes: bool = False


def peek_command(partition: Partition) -> Command:
    keys = (partition.meta, partition.later, partition.lanes, *partition.streams)
    return script("peek").command(partition.slot, keys)


def parse_peek(reply: Any, partition: Partition) -> Peek:
    """A partition that was never opened holds nothing."""
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return Peek(0, None)
    due_in = int(reply[2])
    return Peek(int(reply[1]), due_in if due_in >= 0 else None, bool(reply[3]))


@dataclass(frozen=True, slots=True)
class Look:
    """The whole picture of one partition."""

    now_ms: int = 0
    drained: bool = True
    waiting: dict[int, int] = field(default_factory=dict)
    """By stream index: 1..9 = ready of that priority, 0 = returned; only those that are not empty."""
    laned: int = 0
    """Jobs of limited types that wait in lanes."""
    in_flight: int = 0
    later: int = 0
    dead: int = 0
    parked: int = 0
    """Jobs of paused types that a claim has put aside."""
    next_due_in_ms: int | None = None
    oldest_age_ms: int = 0
    """How long the job that waits longest has been ready; 0 when none waits."""
    counters: dict[str, int] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    """What else meta says: paused, retain, careful; none of them for a plain partition."""

    @property
    def ready(self) -> int:
        return sum(self.waiting.values()) + self.laned


def look_command(partition: Partition) -> Command:
    keys = (partition.meta, partition.later, partition.dead, partition.parked, partition.lanes)
    return script("look").command(partition.slot, (*keys, *partition.streams))


def parse_look(reply: Any, partition: Partition) -> Look:
    """A partition that was never opened is empty."""
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return Look()
    numbers = [int(word) for word in reply[1:21]]
    now_ms, drained, in_flight, later, dead, parked, laned, due_in, oldest = numbers[:9]
    rows = zip(reply[21::2], reply[22::2], strict=True)
    words = {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in rows}
    return Look(
        now_ms=now_ms,
        drained=bool(drained),
        waiting={stream: count for stream, count in enumerate(numbers[9:]) if count},
        laned=laned,
        in_flight=in_flight,
        later=later,
        dead=dead,
        parked=parked,
        next_due_in_ms=due_in if due_in >= 0 else None,
        oldest_age_ms=oldest,
        counters={name: int(value) for name, value in words.items() if name in COUNTERS},
        settings={name: value for name, value in words.items() if name not in COUNTERS},
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """Jobs by type among those that wait longest or are due first; `whole`: there are no others."""

    counts: dict[str, int] = field(default_factory=dict)
    whole: bool = True


def sample_command(partition: Partition) -> Command:
    keys = (partition.meta, partition.later, partition.parked, partition.lanes)
    rest = (*partition.jobs, *partition.streams)
    return script("waiting_types").command(
        partition.slot, (*keys, *rest), (SAMPLE_PER_STREAM, SAMPLE_OF_LATER)
    )


def parse_sample(reply: Any, partition: Partition) -> Sample:
    """A partition that was never opened holds nothing."""
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return Sample()
    pairs = zip(reply[2::2], reply[3::2], strict=True)
    return Sample({type.decode("utf-8", "replace"): int(count) for type, count in pairs}, bool(reply[1]))


@dataclass(frozen=True, slots=True)
class Ahead:
    """How many jobs go before one; at least so many when they are not the `whole`."""

    count: int
    whole: bool


def ahead_command(partition: Partition, stream: int, id: bytes, priority: int) -> Command:
    keys = (partition.meta, *partition.streams)
    return script("count_ahead").command(partition.slot, keys, (stream, id, priority))


def ahead(
    cluster: Cluster, partition: Partition, stream: int, id: bytes, priority: int, *, deadline_s: float = 5.0
) -> Ahead:
    """Of the job that waits in `stream` under `id`: those of higher priorities, those that came back, those
    before it."""
    command = ahead_command(partition, stream, id, priority)
    try:
        reply = checked(cluster.run(command, deadline_s=deadline_s), partition)
    except Uninitialised:
        return Ahead(0, True)
    return Ahead(int(reply[1]) + int(reply[2]), bool(reply[3]))

"""Retain: what a queue keeps of its ended jobs, in the log of each partition. Set here, trimmed here.

What is wanted stands in the control slot, a word a queue, and in each partition beside its counters, where
the scripts that end jobs find it. The command sets both, and so does a host's coordinator as it starts; the
scheduler sets it in partitions that could not be reached, and trims.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from ganger.calls import call, checked, open_command
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import BadOptions, GangerError, Uninitialised
from ganger.keys import Control, Partition
from ganger.scripts import script

TRIMMED = 10_000
"""Entries that one call removes at most."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Age and number to which ended jobs are kept; 0 = no bound. Both 0: nothing is kept."""

    age_ms: int = 0
    count: int = 0

    def __post_init__(self) -> None:
        if self.age_ms < 0 or self.count < 0:
            raise BadOptions("retain: age and count must not be negative.")

    def word(self, partitions: int = 1) -> str:
        """As a partition has it, which holds its share of the count; empty when nothing is kept."""
        if not self.age_ms and not self.count:
            return ""
        return f"{self.age_ms}|{-(-self.count // partitions)}"


def wanted(cluster: Cluster, control: Control, *, deadline_s: float = 10.0) -> dict[str, Retention]:
    """What each queue is to retain, by its name."""
    flat = cluster.run(Command(control.slot, ("HGETALL", control.retains)), deadline_s=deadline_s)
    found = {}
    for name, word in zip(flat[::2], flat[1::2], strict=True):
        age_ms, _, count = word.partition(b"|")
        with contextlib.suppress(ValueError):  # BadOptions among them: a word that is none is passed over
            found[name.decode("utf-8", "replace")] = Retention(int(age_ms or 0), int(count or 0))
    return found


def want(
    cluster: Cluster, control: Control, queue: str, retention: Retention, *, deadline_s: float = 10.0
) -> None:
    """Say what a queue is to retain. `apply` makes it so in a partition."""
    words = ("HSET", control.retains, queue, f"{retention.age_ms}|{retention.count}")
    cluster.run(Command(control.slot, words), deadline_s=deadline_s)


def apply(
    cluster: Cluster, places: Sequence[Partition], retention: Retention, *, deadline_s: float = 10.0
) -> dict[int, str]:
    """Have it so in all partitions of a queue, opening those that are to retain something. Answers those that
    could not be reached, and why: for them the scheduler does it. All are told at once, so those out of reach
    take no longer than one: within thrice the deadline."""
    missing = _apply(cluster, places, len(places), retention, deadline_s)
    shut = [place for place in places if isinstance(missing.get(place.index), Uninitialised)]
    if shut:
        for place in shut:
            del missing[place.index]
        if retention.word():
            cluster.run_many([open_command(place) for place in shut], deadline_s=deadline_s)
            missing |= _apply(cluster, shut, len(places), retention, deadline_s)
    return {index: str(error) for index, error in missing.items()}


def _apply(
    cluster: Cluster, places: Sequence[Partition], partitions: int, retention: Retention, deadline_s: float
) -> dict[int, GangerError]:
    commands = [_command(place, partitions, retention) for place in places]
    missing = {}
    for place, reply in zip(places, cluster.run_many(commands, deadline_s=deadline_s), strict=True):
        try:
            checked(reply, place)
        except GangerError as error:
            missing[place.index] = error
    return missing


def kept(cluster: Cluster, places: Sequence[Partition], *, deadline_s: float = 5.0) -> int:
    """How many ended jobs these partitions hold; those out of reach count nothing."""
    commands = [Command(place.slot, ("XLEN", place.log)) for place in places]
    return sum(reply for reply in cluster.run_many(commands, deadline_s=deadline_s) if isinstance(reply, int))


def trim(
    cluster: Cluster, partition: Partition, partitions: int, retention: Retention, *, deadline_s: float = 10.0
) -> tuple[int, bool]:
    """Have it so in one partition of a queue that has `partitions` of them, and trim its log by one step.
    Answers (removed, whether there may be more to remove)."""
    command = _command(partition, partitions, retention)
    reply = call(cluster, partition, command, deadline_s=deadline_s)
    return int(reply[1]), bool(reply[2])


def _command(partition: Partition, partitions: int, retention: Retention) -> Command:
    keys = (partition.meta, partition.log)
    return script("retain").command(partition.slot, keys, (retention.word(partitions), TRIMMED))

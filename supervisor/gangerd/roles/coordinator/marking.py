"""Marking: each partition of a queue with lanes knows which types wait there, before anybody claims from it.

A host whose rules say so tells it, and again every few seconds: a mark that nobody has confirmed for a minute
is taken away by the scheduler, and its jobs go back among the others. A partition that lacks a mark is not
claimed from: workers pass what it must have been told with each claim. limits.py calls, from the
coordinator's loop.

Crash points. Told some partitions and died: the others are told by whoever comes next; the queue stands still
there meanwhile. The rule is gone and so are we: the marks run out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganger.calls import open_command
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import GangerError, Uninitialised
from ganger.keys import Partition
from ganger.operations import lanes
from ganger.operations.lanes import Mark

AGAIN_NS = 3_000_000_000
DEADLINE_S = 0.5


@dataclass(slots=True)
class _Marked:
    marks: Sequence[Mark]
    partitions: tuple[Partition, ...]
    again_ns: int = 0


class Marking:
    """By line of the board's directory."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lines: dict[int, _Marked] = {}

    def want(self, lines: Mapping[int, tuple[Sequence[Mark], tuple[Partition, ...]]], now_ns: int) -> None:
        """These lines shall be marked so, and no others: line -> (marks, partitions). What has become
        different is told at once."""
        dropped: list[tuple[Partition, list[Mark]]] = []
        for line, known in self._lines.items():
            kept = {mark.type for mark in lines[line][0]} if line in lines else set()
            gone = [mark for mark in known.marks if mark.type not in kept]
            dropped += [(partition, gone) for partition in known.partitions if gone]
        fresh: dict[int, _Marked] = {}
        for line, (marks, partitions) in lines.items():
            before = self._lines.get(line)
            same = before is not None and list(before.marks) == list(marks)
            fresh[line] = before if before is not None and same else _Marked(marks, partitions)
        self._lines = fresh
        self._tell(dropped, ttl_ms=0)
        self.beat(now_ns)

    def beat(self, now_ns: int) -> None:
        """Confirm what is due."""
        due = [line for line in self._lines.values() if now_ns >= line.again_ns]
        told = [(partition, line.marks) for line in due for partition in line.partitions]
        outcomes = iter(self._tell(told, ttl_ms=lanes.MARK_MS))
        for line in due:
            answers = [next(outcomes) for _ in line.partitions]
            if all(answer is None for answer in answers):
                line.again_ns = now_ns + AGAIN_NS

    def _tell(
        self, told: Sequence[tuple[Partition, Sequence[Mark]]], *, ttl_ms: int
    ) -> list[GangerError | None]:
        """None for each that has confirmed, else what kept it from that. One that was never opened is opened
        first."""
        found = self._ask(told, ttl_ms)
        shut = [at for at, outcome in enumerate(found) if isinstance(outcome, Uninitialised)]
        if shut and ttl_ms:
            self._run([open_command(told[at][0]) for at in shut])
            for at, outcome in zip(shut, self._ask([told[at] for at in shut], ttl_ms), strict=True):
                found[at] = outcome
        return found

    def _ask(self, told: Sequence[tuple[Partition, Sequence[Mark]]], ttl_ms: int) -> list[GangerError | None]:
        replies = self._run([lanes.aside_command(partition, marks, ttl_ms) for partition, marks in told])
        found: list[GangerError | None] = []
        for (partition, _), reply in zip(told, replies, strict=True):
            try:
                lanes.parse_aside(reply, partition)
                found.append(None)
            except GangerError as error:
                found.append(error)
        return found

    def _run(self, commands: list[Command]) -> list[object]:
        if not commands:
            return []
        try:
            return list(self._cluster.run_many(commands, deadline_s=DEADLINE_S))
        except GangerError as error:
            return [error] * len(commands)

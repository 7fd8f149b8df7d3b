"""The work of a run in one partition: which call comes next, and what its reply means. No I/O of its own.

drive.py sends the calls of all partitions together. Crash points, for each kind of work: a call that never
arrived, or whose reply was lost, is sent again with the same cursor, and so is one after a new start of the
driver, with none; what has moved is not found again.
"""

from abc import ABC, abstractmethod
from typing import Any, Literal

from ganger import jid as jids
from ganger.calls import open_command
from ganger.clock import monotonic_s
from ganger.command import Command
from ganger.errors import (
    PASSING,
    GangerError,
    Uninitialised,
)
from ganger.keys import Partition
from ganger.label import Label, encode, split
from ganger.operations import replay
from ganger.operations.replay import Choice, Count, Step

FAULTS = 3
"""Failed calls in a row after which a partition is left out; if it is out of reach, as long as a failover
takes, not before PATIENCE_S."""
PATIENCE_S = 15.0


class Work(ABC):
    """`moved` jobs so far by this run in this partition; `over` when nothing is left; `missing` says why it
    was given up; `closed` when the run is being undone by somebody."""

    patience_s = PATIENCE_S

    def __init__(self, partition: Partition, run: str) -> None:
        self.partition = partition
        self.run = run
        self.cursor = b""
        self.moved = 0
        self.over = False
        self.closed = False
        self.missing = ""
        self._faults = 0
        self._failing_since_s = 0.0

    @property
    def done(self) -> bool:
        return self.over or bool(self.missing)

    @abstractmethod
    def command(self, limit: int) -> Command:
        """The next call."""

    @abstractmethod
    def heard(self, reply: Any) -> int:
        """How many jobs its reply has moved. Raises GangerError."""

    def failed(self, error: GangerError) -> None:
        if not self._faults:
            self._failing_since_s = monotonic_s()
        self._faults += 1
        waits = isinstance(error, PASSING) and monotonic_s() - self._failing_since_s < self.patience_s
        if self._faults >= FAULTS and not waits:
            self.missing = str(error)

    def answered(self) -> None:
        self._faults = 0

    def _took(self, step: Step) -> int:
        """Note a step of scripts that count by themselves."""
        before, self.moved = self.moved, max(self.moved, step.total)
        self.cursor = step.cursor
        self.closed = step.closed
        return self.moved - before


class Replay(Work):
    """Ended jobs run again in their own queue."""

    def __init__(self, partition: Partition, run: str, choice: Choice) -> None:
        super().__init__(partition, run)
        self._choice = choice

    def command(self, limit: int) -> Command:
        return replay.replay_command(self.partition, self.run, self._choice, self.cursor, limit)

    def heard(self, reply: Any) -> int:
        moved = self._took(replay.parse_step(reply, self.partition))
        self.over = not self.cursor
        return moved


class Unskip(Work):
    """What the run has skipped waits again."""

    def command(self, limit: int) -> Command:
        return replay.unskip_command(self.partition, self.run, self.cursor, limit)

    def heard(self, reply: Any) -> int:
        moved = self._took(replay.parse_step(reply, self.partition))
        self.over = not self.cursor
        return moved


class _Streams(Work):
    """Work that goes through all streams where jobs of a partition wait, one after the other; what is parked
    meanwhile comes last."""

    stream = 0

    def _went_on(self) -> None:
        if not self.cursor:
            self.stream += 1
        self.over = self.closed or self.stream > replay.PARKED


class Skip(_Streams):
    """What has been waiting since before an instant is skipped."""

    def __init__(self, partition: Partition, run: str, to_ms: int, type: str) -> None:
        super().__init__(partition, run)
        self._to_ms = to_ms
        self._type = type

    def command(self, limit: int) -> Command:
        return replay.skip_command(
            self.partition,
            self.stream,
            self.run,
            self._to_ms,
            type=self._type,
            cursor=self.cursor,
            limit=limit,
        )

    def heard(self, reply: Any) -> int:
        moved = self._took(replay.parse_step(reply, self.partition))
        self._went_on()
        return moved


class Undo(_Streams):
    """What the run has brought and nobody has begun goes back to the log, or, being a copy, away."""

    def __init__(self, partition: Partition, run: str, target: Literal["log", "gone"]) -> None:
        super().__init__(partition, run)
        self._target: Literal["log", "gone"] = target

    def command(self, limit: int) -> Command:
        return replay.undo_command(self.partition, self.stream, self.run, self._target, self.cursor)

    def heard(self, reply: Any) -> int:
        moved = self._took(replay.parse_step(reply, self.partition))
        self._went_on()
        return moved


class Survey(Work):
    """How many jobs of the log a run would take. Whoever asked waits for the answer: it is not patient."""

    patience_s = 0.0

    def __init__(self, partition: Partition, run: str, choice: Choice) -> None:
        super().__init__(partition, run)
        self._choice = choice
        self.found = Count()

    def command(self, limit: int) -> Command:
        return replay.count_command(self.partition, self.run, self._choice, self.cursor)

    def heard(self, reply: Any) -> int:
        count = replay.parse_count(reply, self.partition)
        self.found, self.cursor = added(self.found, count), count.cursor
        self.over = not self.cursor
        return count.count


class SurveyWaiting(_Streams):
    """How many waiting jobs a skip would end."""

    patience_s = 0.0

    def __init__(self, partition: Partition, run: str, to_ms: int, type: str) -> None:
        super().__init__(partition, run)
        self._to_ms = to_ms
        self._type = type
        self.found = Count()

    def command(self, limit: int) -> Command:
        place = (self.partition, self.stream, self.run, self._to_ms)
        return replay.skip_command(
            *place, type=self._type, cursor=self.cursor, limit=replay.SURVEY, count=True
        )

    def heard(self, reply: Any) -> int:
        count = replay.parse_count(reply, self.partition)
        self.found, self.cursor = added(self.found, count), count.cursor
        self._went_on()
        return count.count


class CopyInto(Work):
    """Copies of ended jobs, under new jids, into a partition of another queue: read in one slot, added in the
    other. Which target a partition has never changes, and the target alone knows how far it has come.

    Crash points: before the read, nothing has happened; between read and add, it is read again; after the
    add, its reply lost or the driver gone, the target tells the last place that is in, and what comes again
    from before that place is passed over, however the chunks fall then."""

    def __init__(self, partition: Partition, target: Partition, run: str, choice: Choice) -> None:
        super().__init__(partition, run)
        self._target = target
        self._choice = choice
        self._phase: Literal["ask", "open", "read", "add"] = "ask"
        self._jobs: list[tuple[bytes, str, str, bytes, int]] = []
        self._next = b""

    def command(self, limit: int) -> Command:
        if self._phase == "open":
            return open_command(self._target)
        if self._phase == "read":
            return replay.read_command(self.partition, self.run, self._choice, self.cursor, limit)
        return replay.copy_command(self._target, self.run, self.partition.index, self._jobs)

    def heard(self, reply: Any) -> int:
        if self._phase == "open":
            if isinstance(reply, Exception):
                raise reply
            self._phase = "ask"
        elif self._phase == "read":
            self._read(*replay.parse_read(reply, self.partition))
        else:
            return self._added(reply)
        return 0

    def _read(self, found: list[replay.Copy], cursor: bytes) -> None:
        self._next = cursor
        if not found:
            self.cursor, self.over = cursor, not cursor
            return
        minted = jids.mint(self._target.queue, self._target.index, len(found))
        stamp = encode(Label(run=self.run))
        self._jobs = [
            (copy.id, jid, copy.type, stamp + _json(copy.body), copy.priority)
            for jid, copy in zip(minted, found, strict=True)
        ]
        self._phase = "add"

    def _added(self, reply: Any) -> int:
        try:
            step = replay.parse_copy(reply, self._target)
        except Uninitialised:
            self._phase = "open"
            return 0
        asked = self._phase == "ask"
        cursor = step.cursor if asked else self._next
        moved = self._took(step._replace(cursor=cursor))
        self.over = step.closed or not (asked or cursor)
        self._phase, self._jobs = "read", []
        return moved


def _json(body: bytes) -> bytes:
    """The body without its label: a copy holds no lock and is no member of a batch."""
    try:
        return split(body)[1]
    except ValueError:
        return body


def added(left: Count, right: Count) -> Count:
    """Two counts as one."""
    if not left.count or not right.count:
        return left if left.count else right
    types = dict(left.types)
    for name, number in right.types.items():
        types[name] = types.get(name, 0) + number
    return Count(
        left.count + right.count,
        min(left.first_ms, right.first_ms),
        max(left.last_ms, right.last_ms),
        types,
    )

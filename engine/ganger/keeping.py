"""What a running job tells of itself while it runs: its progress, and checkpoints for its next attempt.

`current()` hands a handler's words on; a worker makes one Keeper, with its own way to Redis. Both are written
for the entry that the caller runs, so an attempt that has lost its lease can't overwrite what its successor
keeps. Safe for threads, for a handler that forks (the child connects anew), and for async handlers, whose
loop waits while a word is on its way: well under a millisecond, and half a second at most for progress. The
soft timeout is never raised in here (it spares the engine's code), so no reply is left half read.
"""

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

import msgspec

from ganger.clock import monotonic_s
from ganger.cluster import Cluster
from ganger.errors import BadArguments, GangerError, LeaseLost
from ganger.job import BLANK, Entry, clip
from ganger.operations import track

MAX_CHECKPOINT_BYTES = 64 * 1024
MAX_MESSAGE_BYTES = 500
PER_S = 2.0
BURST = 5.0
"""Words of progress that a job may say at once before it is held to PER_S a second."""
PROGRESS_S = 0.5
AWAY_S = 5.0
"""How long progress stays silent after a word that Redis did not take."""
CHECKPOINT_S = 10.0


class Keeper:
    """`consumer` holds the entries; `away(error)` hears once of each time that progress can't be told."""

    def __init__(
        self, cluster: Cluster, consumer: str, away: Callable[[GangerError], object], *, replicas: int = 0
    ) -> None:
        self._cluster = cluster
        self._consumer = consumer
        self._away = away
        self._replicas = replicas
        self._lock = threading.Lock()
        self._about = b""
        self._credit = BURST
        self._at_s = 0.0
        self._silent_until_s = 0.0
        self._last: tuple[bytes, Any] = (b"", None)
        self.held_back: tuple[Entry, bytes] | None = None
        """A word of progress that came too soon after the last; a later one replaces it."""
        _living.add(self)

    def progress(self, entry: Entry, percent: float, message: str) -> None:
        """Tell how far the job is. Never fails it: without Redis it is not told. Raises BadArguments."""
        if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 <= percent <= 100:
            raise BadArguments(f"progress takes a percentage from 0 to 100, not {percent!r:.80}.")
        value = track.progress_value(percent, clip(str(message), MAX_MESSAGE_BYTES))
        with self._lock:
            now_s = monotonic_s()
            if entry.id != self._about:
                self._about, self._credit = entry.id, BURST
            else:
                self._credit = min(BURST, self._credit + (now_s - self._at_s) * PER_S)
            self._at_s = now_s
            if self._credit < 1 or now_s < self._silent_until_s:
                self.held_back = (entry, value)
                return
            self._credit -= 1
            self.held_back = None
        self._tell(entry, value)

    def flush(self) -> None:
        """The run is over: what was held back is told."""
        with self._lock:
            waiting, self.held_back = self.held_back, None
            silent = monotonic_s() < self._silent_until_s
        if waiting is not None and not silent:
            self._tell(*waiting)

    def checkpoint(self, entry: Entry, value: Any) -> None:
        """Keep a value for the job's next attempt; when this returns, Redis has it. Raises BadArguments for
        what is no JSON or too large, LeaseLost when the job is another's by now, and NodeDown, OutcomeUnknown
        and the like when Redis can't be reached."""
        try:
            data = msgspec.json.encode(value)
        except (TypeError, ValueError, RecursionError, OverflowError) as error:
            raise BadArguments(f"a checkpoint must be JSON: {error}.") from None
        if len(data) > MAX_CHECKPOINT_BYTES:
            raise BadArguments(
                f"a checkpoint of {len(data)} bytes is more than {MAX_CHECKPOINT_BYTES}; keep a reference."
            )
        done = track.keep(
            self._cluster,
            entry,
            self._consumer,
            "c",
            data,
            deadline_s=CHECKPOINT_S,
            replicas=self._replicas,
        )
        if done is not track.Kept.KEPT:
            raise LeaseLost(f"Job {entry.jid} is not this worker's any more, so its checkpoint is not kept.")
        self._last = (entry.id, msgspec.json.decode(data))

    def last_checkpoint(self, entry: Entry) -> Any:
        """What the job kept last, in this attempt or an earlier one; None when it never did. Asks Redis once
        an attempt, and not at all in a job's very first. Raises what Cluster.run raises: to begin anew
        because Redis did not answer would be wrong."""
        if self._last[0] != entry.id:
            data = None
            if entry.state != BLANK:
                data = track.checkpoint(self._cluster, entry, deadline_s=CHECKPOINT_S)
            self._last = (entry.id, None if data is None else msgspec.json.decode(data))
        return self._last[1]

    def _tell(self, entry: Entry, value: bytes) -> None:
        try:
            track.keep(self._cluster, entry, self._consumer, "p", value, deadline_s=PROGRESS_S)
        except GangerError as error:
            self._silent_until_s = monotonic_s() + AWAY_S
            self._away(error)

    def after_fork(self) -> None:
        """In the child of a handler that forked: a thread that is not there may have held the lock."""
        self._lock = threading.Lock()


_living: "weakref.WeakSet[Keeper]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for keeper in list(_living):
        keeper.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)

"""Looks for work: the poll of all partitions, one pipeline a node, and the wake-ups in between.

Brings what Redis says to the board keeper and rings. After each gap in the subscriptions it polls at once.
"""

import re
from collections.abc import Callable, Sequence

from ganger.cluster import Cluster, Command
from ganger.errors import GangerError
from ganger.keys import Partition
from ganger.operations import look
from gangerd import log
from gangerd.roles.coordinator.board_keeper import BoardKeeper
from gangerd.roles.coordinator.subscriptions import Subscriptions
from gangerd.roles.loop import Loop

POLL_S = 0.5
GAP_MS = 50
_LANE = re.compile(rb"[0-9a-f]{16}")
_logger = log.get()


class Lookout:
    """`polled` is how many partitions answered the last poll; `on_cancel(partition, what)` hears of a
    cancelled delivery, "<consumer> <entry id>"; `on_lanes(index, ids)`: jobs wait in lanes
    there, and in these, that were empty, since now."""

    def __init__(
        self,
        cluster: Cluster,
        loop: Loop,
        keeper: BoardKeeper,
        on_cancel: Callable[[Partition, bytes], None],
        on_lanes: Callable[[int, Sequence[str]], None],
    ) -> None:
        self._cluster = cluster
        self._loop = loop
        self._keeper = keeper
        self._on_cancel = on_cancel
        self._on_lanes = on_lanes
        self._commands: list[Command] = []
        self._down = False
        self.polled = 0
        self.subscriptions = Subscriptions(cluster, loop, self._heard, self._rung, self._gap)
        loop.when_asked("poll", self.poll)

    def follow(self) -> None:
        """Take up the keeper's partitions, at the start and whenever there are more."""
        self._commands = [look.peek_command(partition) for partition in self._keeper.partitions]
        self.subscriptions.want(self._keeper.partitions)

    def poll(self) -> None:
        """Ask every partition; a node that is down silences its own only."""
        try:
            replies = self._cluster.run_many(self._commands, deadline_s=POLL_S)
        except GangerError as error:
            replies = [error] * len(self._commands)
        keeper, trouble = self._keeper, ""
        self.polled = 0
        for index, (partition, reply) in enumerate(zip(keeper.partitions, replies, strict=True)):
            try:
                peek = look.parse_peek(reply, partition)
            except GangerError as error:
                keeper.unreachable(index)
                trouble = str(error)
            else:
                self.polled += 1
                keeper.looked(index, peek.highest)
                if peek.lanes:
                    self._on_lanes(index, ())
        self._report(trouble)
        self.subscriptions.mend()
        self._rung()

    def close(self) -> None:
        self.subscriptions.close()

    def _heard(self, channel: bytes, payload: bytes) -> None:
        if payload[:1] not in (b"x", b"l"):
            self._keeper.woke(channel, payload)
            return
        index = self._keeper.heard_of(channel)
        partition = None if index is None else self._keeper.place(index)
        if index is None or partition is None:
            return
        if payload[:1] == b"l":
            self._on_lanes(index, [id.decode() for id in _LANE.findall(payload)])
        else:
            self._on_cancel(partition, payload[1:])

    def _gap(self) -> None:
        self._loop.soon("poll", GAP_MS)

    def _rung(self) -> None:
        if self._keeper.ring():
            self._loop.soon("scan", 25)

    def _report(self, error: str) -> None:
        """Once when partitions go out of reach, once when all are back: not at each poll in between."""
        if error and not self._down:
            count = len(self._commands) - self.polled
            _logger.warning(log.REDIS_DOWN, partitions=count, of=len(self._commands), error=error)
        if self._down and not error:
            _logger.info(log.REDIS_BACK, partitions=len(self._commands))
        self._down = bool(error)

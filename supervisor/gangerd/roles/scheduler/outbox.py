"""Delivers what one slot owes to others: a walk over every outbox that holds something.

An effect is written by the same script as its cause and stays until its target has it. What kind of effect is
delivered how is a table, prefix -> `Deliver`, that service.py fills; a kind that this version doesn't know is
left where it is. Partitions are looked at each second, in the trip of the round; an outbox that held
something is looked at four times a second for a while, for more follows mostly.

Crash points. Before a delivery nothing has happened. Between delivery and clearing: whoever leads next
delivers once more, and each target knows what it has had. An effect that changed meanwhile is not cleared.
One that can't be delivered (its target's node is down) stays and holds up no other.
"""

import time
from collections.abc import Callable, Iterable, Sequence

from ganger.cluster import Cluster, Command
from ganger.errors import GangerError
from ganger.keys import Partition
from ganger.operations import outbox
from ganger.operations.outbox import Box, Effect
from gangerd.roles.loop import MS

Deliver = Callable[[Sequence[Effect]], Iterable[Effect]]
"""Takes effects of its kind to their targets; answers those that need not be kept any longer."""
Cleared = Callable[[Sequence[Effect]], object]
"""Hears of those that are kept no longer."""

DEADLINE_S = 0.8
MOST_BOXES = 16
"""Walked at a time: what they hold is some 40 ms of work, and the leader has other duties."""
POLL_MS = 250
WARM_MS = 5_000
"""How long an outbox that held something is polled."""


class Outbox:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._table: dict[bytes, Deliver] = {}
        self._cleared: dict[bytes, Cleared] = {}
        self._walks: dict[Box, int] = {}
        """Outboxes to be walked, and how far each walk is."""
        self._warm: dict[Box, int] = {}
        """Until when each that held something is polled."""

    def teach(self, prefix: bytes, deliver: Deliver, cleared: Cleared | None = None) -> None:
        """Effects of this prefix are delivered so; `cleared` hears of what was cleared."""
        self._table[prefix] = deliver
        if cleared is not None:
            self._cleared[prefix] = cleared

    def commands(self, partitions: Sequence[Partition]) -> list[Command]:
        return [outbox.length_command(outbox.box_of(partition)) for partition in partitions]

    def heard(self, partition: Partition, reply: object, now_ns: int) -> None:
        """Take note of one partition. Raises GangerError."""
        if outbox.parse_length(reply):
            self.attend(outbox.box_of(partition))

    def attend(self, box: Box) -> None:
        """There is something in it."""
        self._walks.setdefault(box, 0)

    def next_in_ms(self) -> float | None:
        """When `step` is wanted next: None until an outbox is found to hold something."""
        if self._walks:
            return 0.0
        return POLL_MS if self._warm else None

    def step(self) -> int:
        """One page of every walk under way, at most MOST_BOXES; how many effects were delivered."""
        now_ns = time.monotonic_ns()
        self._warm = {box: until_ns for box, until_ns in self._warm.items() if until_ns > now_ns}
        if not self._walks:
            self._walks = dict.fromkeys(self._warm, 0)
        boxes = list(self._walks)[:MOST_BOXES]
        walks = [(box, self._walks.pop(box)) for box in boxes]
        replies = self._cluster.run_many(
            [outbox.page_command(box, cursor) for box, cursor in walks], deadline_s=DEADLINE_S
        )
        found: list[Effect] = []
        for (box, _), reply in zip(walks, replies, strict=True):
            try:
                cursor, effects = outbox.parse_page(reply, box)
            except GangerError:
                continue  # the next round finds it again
            if effects:
                self._warm[box] = now_ns + WARM_MS * MS
            if cursor:
                self._walks[box] = cursor
            found += effects
        return self._clear(self._deliver(found))

    def forget(self) -> None:
        """We are not the leader any more."""
        self._walks, self._warm = {}, {}

    def _deliver(self, effects: Sequence[Effect]) -> list[Effect]:
        by_prefix: dict[bytes, list[Effect]] = {}
        for effect in effects:
            by_prefix.setdefault(effect.prefix, []).append(effect)
        done: list[Effect] = []
        for prefix, some in by_prefix.items():
            deliver = self._table.get(prefix)
            if deliver is not None:
                done += deliver(some)
        return done

    def _clear(self, done: Sequence[Effect]) -> int:
        by_box: dict[Box, list[Effect]] = {}
        for effect in done:
            by_box.setdefault(effect.box, []).append(effect)
        replies = self._cluster.run_many(
            [outbox.clear_command(box, some) for box, some in by_box.items()], deadline_s=DEADLINE_S
        )
        # A clearing that fails is no harm: the delivery comes once more.
        cleared = [
            effect
            for some, reply in zip(by_box.values(), replies, strict=True)
            if not isinstance(reply, Exception)
            for effect in some
        ]
        for prefix, hear in self._cleared.items():
            if mine := [effect for effect in cleared if effect.prefix == prefix]:
                hear(mine)
        return len(done)

"""Hears the wake-ups: one subscribed connection per node, re-made whenever it or a channel of it is lost.

A sharded channel lives at the node of its slot. When the slot moves the server drops the subscription, when
the node dies the connection goes; either is noticed here and mended, and after each mending `on_gap` is
called, for what was said meanwhile was not heard. A message is only a hint: the poll finds what was missed.
"""

import time
from collections.abc import Callable, Iterable

from ganger.cluster import Cluster, Node, Subscription
from ganger.errors import GangerError
from ganger.keys import Partition
from gangerd.roles.loop import Loop

PING_AFTER_S = 10.0
SILENT_S = 25.0
"""A connection that said nothing for so long, pings notwithstanding, is dead."""
CONNECT_S = 0.5


class Subscriptions:
    """`on_message(channel, payload)` for each wake-up, `on_batch()` after those of one read."""

    def __init__(
        self,
        cluster: Cluster,
        loop: Loop,
        on_message: Callable[[bytes, bytes], None],
        on_batch: Callable[[], None],
        on_gap: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._loop = loop
        self._on_message = on_message
        self._on_batch = on_batch
        self._on_gap = on_gap
        self._wanted: dict[bytes, int] = {}
        self._at: dict[bytes, Node] = {}
        self._open: dict[Node, tuple[Subscription, int]] = {}

    def want(self, partitions: Iterable[Partition]) -> None:
        """Hear the wake-ups of these partitions, once `mend` has run."""
        self._wanted = {partition.wake: partition.slot for partition in partitions}

    @property
    def missing(self) -> int:
        """Channels that nobody listens to at this moment."""
        return len(self._wanted) - len(self._at)

    def mend(self) -> bool:
        """Subscribe to what is wanted and not subscribed where it now lives; whether anything had to be."""
        todo: dict[Node, list[bytes]] = {}
        for channel, slot in self._wanted.items():
            if self._cluster.is_down(slot):
                continue
            node = self._cluster.node_of(slot, deadline_s=CONNECT_S)
            if node is not None and self._at.get(channel) != node:
                todo.setdefault(node, []).append(channel)
        mended = False
        for node, channels in todo.items():
            mended = self._subscribe(node, channels) or mended
        if mended:
            self._on_gap()
        return mended

    def check(self) -> None:
        """Drop connections that have gone silent, ping quiet ones, close those without a channel."""
        now_s = time.monotonic()
        used = set(self._at.values())
        for node, (subscription, _) in list(self._open.items()):
            quiet_s = now_s - subscription.heard_s
            if node not in used or quiet_s > SILENT_S:
                self._drop(node)
            elif quiet_s > PING_AFTER_S:
                try:
                    subscription.ping()
                except GangerError:
                    self._drop(node)

    def close(self) -> None:
        for node in list(self._open):
            self._drop(node)

    def _subscribe(self, node: Node, channels: list[bytes]) -> bool:
        try:
            if node not in self._open:
                subscription = self._cluster.connection(node, deadline_s=CONNECT_S)
                fd = subscription.fileno()
                self._open[node] = (subscription, fd)
                self._loop.watch(fd, lambda: self._read(node))
            self._open[node][0].ssubscribe(channels)
        except GangerError:
            self._drop(node)
            return False
        for channel in channels:
            self._at[channel] = node
        return True

    def _read(self, node: Node) -> None:
        subscription, _ = self._open[node]
        try:
            messages = subscription.read()
        except GangerError:
            self._drop(node)
            self._on_gap()
            return
        for channel, payload in messages:
            self._on_message(channel, payload)
        if messages:
            self._on_batch()
        if subscription.dropped:
            for channel in subscription.dropped:
                if self._at.get(channel) == node:
                    del self._at[channel]
            subscription.dropped = []
            self._on_gap()

    def _drop(self, node: Node) -> None:
        opened = self._open.pop(node, None)
        if opened is not None:
            subscription, fd = opened
            self._loop.forget(fd)
            subscription.close()
        self._at = {channel: at for channel, at in self._at.items() if at != node}

"""Sharded pub/sub: one dedicated connection to one node, read without blocking.

Wake-ups are hints, so a lost one costs a poll interval and nothing more. What must not stay unnoticed is a
subscription that the server has dropped (the slot moved away): `dropped` names those channels, and the owner
subscribes them again at the node that `Cluster.node_of` then names. Only the coordinator uses this.
"""

import select
import time
from collections import deque
from collections.abc import Iterable, Iterator

from ganger.errors import NodeDown
from ganger.wire.link import Link, LinkLost, LinkRefused, ReplyError, pack
from ganger.wire.node import Node


class Subscription:
    """Not thread-safe: one owner. After NodeDown, close it and open another."""

    def __init__(self, node: Node, link: Link) -> None:
        self.node = node
        self.dropped: list[bytes] = []
        """Channels that this node does not serve (any more); the owner takes them out."""
        self.heard_s = time.monotonic()
        """When anything last arrived, on the monotonic clock; `ping` makes something arrive."""
        self._link = link
        self._asked: deque[bytes] = deque()
        link.start(b"", 0)

    def fileno(self) -> int:
        """For poll, together with POLLIN."""
        return self._link.fileno()

    @property
    def pending(self) -> int:
        """How many subscriptions the server has not answered yet."""
        return len(self._asked)

    def ssubscribe(self, channels: Iterable[bytes]) -> None:
        """Ask for these channels, in as many slots as you like. Raises NodeDown."""
        channels = list(channels)
        self._asked += channels
        # One command a channel: channels of several slots in one would be a CROSSSLOT error.
        self._send(b"".join(pack((b"SSUBSCRIBE", channel)) for channel in channels))

    def ping(self) -> None:
        """Ask for a sign of life; it shows in `heard_s` after a later read. Raises NodeDown."""
        self._send(pack((b"PING",)))

    def read(self) -> list[tuple[bytes, bytes]]:
        """What has arrived, as (channel, payload); never blocks. Raises NodeDown."""
        link = self._link
        messages: list[tuple[bytes, bytes]] = []
        try:
            # Every wake-up of the host passes here: an established link is read without asking poll first.
            for events in (select.POLLIN,) if not (link.connecting or link.unsent) else self._events():
                link.advance(events)
        except (LinkLost, LinkRefused) as error:
            raise self._down(error) from None
        replies, link.replies = link.replies, []
        for reply in replies:
            self._sort(reply, messages)
        return messages

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def _events(self) -> Iterator[int]:
        """What poll says of a link that still connects or has something to send, as long as it says more."""
        poller = select.poll()
        poller.register(self._link, self._link.wants())
        while events := poller.poll(0):
            yield events[0][1]
            if events[0][1] == select.POLLOUT and not self._link.unsent:
                return
            poller.register(self._link, self._link.wants())

    def _sort(self, reply: object, messages: list[tuple[bytes, bytes]]) -> None:
        self.heard_s = time.monotonic()
        if isinstance(reply, ReplyError):  # MOVED, CLUSTERDOWN...: the answer to the oldest SSUBSCRIBE
            if self._asked:
                self.dropped.append(self._asked.popleft())
            return
        if not isinstance(reply, list):
            return
        match reply:
            case [b"smessage", bytes() as channel, bytes() as payload]:
                messages.append((channel, payload))
            case [b"ssubscribe", _, _] if self._asked:
                self._asked.popleft()
            case [b"sunsubscribe", bytes() as channel, _]:
                self.dropped.append(channel)

    def _send(self, payload: bytes) -> None:
        try:
            self._link.start(payload, 0)
        except LinkLost as error:
            raise self._down(error) from None

    def _down(self, error: Exception) -> NodeDown:
        self.close()
        return NodeDown(f"The subscription at Redis node {self.node} was lost ({error}): subscribe again.")

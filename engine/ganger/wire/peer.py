"""What a process keeps about one node: idle links, the circuit breaker, its resolved addresses.

The free list is last in, first out (the warmest link first) and needs no lock: list.append and list.pop are
atomic. A link belongs to whoever took it until it is given back.
"""

import socket
import weakref
from typing import Any

from ganger.config import RedisSettings
from ganger.wire.breaker import Breaker
from ganger.wire.link import Link, LinkLost
from ganger.wire.node import Node

_MAX_IDLE = 32
_FRESH_S = 1.0
"""A link idle for longer is looked at before it is used: the server may have closed it."""


class Peer:
    """See above. `heard_s` is when the node last answered anything, `refused_s` when it last turned a new
    link away (another password, no free connection)."""

    __slots__ = (
        "__weakref__",
        "_addresses",
        "_free",
        "_links",
        "_settings",
        "breaker",
        "heard_s",
        "keeps_on_disk",
        "node",
        "refused_s",
    )

    def __init__(self, node: Node, settings: RedisSettings) -> None:
        self.node = node
        self.breaker = Breaker()
        self.heard_s = 0.0
        self.refused_s = 0.0
        self.keeps_on_disk = False
        """It has answered a WAITAOF."""
        self._settings = settings
        self._addresses: list[tuple[Any, ...]] = []
        self._free: list[Link] = []
        self._links: weakref.WeakSet[Link] = weakref.WeakSet()

    def warm(self, now_s: float) -> Link | None:
        """An idle link, or None."""
        try:
            while True:
                link = self._free.pop()
                if now_s - link.used_s < _FRESH_S or not link.is_stale():
                    return link
                link.close()
        except IndexError:
            return None

    def take(self, now_s: float) -> Link:
        """An idle link or a new one, which may still be connecting. Raises LinkLost."""
        return self.warm(now_s) or self.open()

    def open(self) -> Link:
        """A new link, which may still be connecting. Raises LinkLost."""
        link = Link(self.node, self._settings, self._resolve())
        self._links.add(link)
        return link

    def give(self, link: Link, now_s: float) -> None:
        """Back from a finished exchange: a reply came, so the node is well."""
        link.used_s = self.heard_s = now_s
        self.breaker.closed = True
        if len(self._free) < _MAX_IDLE:
            self._free.append(link)
        else:
            link.close()

    def give_unused(self, link: Link) -> None:
        """Back without having been used."""
        self._free.append(link)

    def drop_idle(self) -> None:
        """Close all idle links: when one of them broke, the others are no better."""
        while self._free:
            try:
                self._free.pop().close()
            except IndexError:
                return

    def failed(self, now_s: float) -> None:
        """The node did not connect or did not answer: open the breaker, forget links and addresses."""
        self.breaker.failed(now_s)
        self._addresses = []
        self.drop_idle()

    def refuses(self) -> bool:
        """Has it turned us away, and answered nothing since?"""
        return self.refused_s > self.heard_s

    def after_fork(self) -> None:
        """In the child: close every socket that the parent goes on using, without a word on any."""
        for link in list(self._links):
            link.close()
        self._free = []
        self._links = weakref.WeakSet()

    def _resolve(self) -> list[tuple[Any, ...]]:
        """getaddrinfo, remembered until a connect fails. A name can block, an IP address never does."""
        if not self._addresses:
            try:
                found = socket.getaddrinfo(self.node.host, self.node.port, type=socket.SOCK_STREAM)
            except OSError as error:
                why = f"its name can't be resolved ({error.strerror})"
                raise LinkLost(why, sent=False, connecting=True) from None
            self._addresses = list(found)
        return self._addresses

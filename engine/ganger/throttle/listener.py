"""Hears that it is this process's turn: a server for semaphores wakes, at each release, whoever has waited
longest for a permit of that name, and tells the one behind it, which looks whether the first has come.

One connection to each server, on a thread that the first wait starts and that ends when nobody has waited
for a while. A wake-up is a hint: who waits looks by itself as well, seldom while it is sure to be heard, and
often otherwise. Called by waiting.py and by the daemon's coordinator.
"""

import contextlib
import os
import select
import threading
import weakref
from collections.abc import Callable
from typing import Any

from ganger.clock import monotonic_s
from ganger.config import RedisSettings
from ganger.throttle.servers import Servers
from ganger.wire.link import Link, LinkLost, LinkRefused, pack
from ganger.wire.node import Node
from ganger.wire.peer import Peer

IDLE_S = 5.0
"""How long a name is listened to after its last wait, and the thread stays without one."""
AGAIN_S = 1.0
PING_S, SILENT_S = 5.0, 12.0
Wake = Callable[[bytes], None]


class Listener:
    """See above. Safe for threads; a forked child hears nothing until it waits itself."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._forget_all()
        _living.add(self)

    def _forget_all(self) -> None:
        self._lock = threading.Lock()
        self._wakes: dict[bytes, dict[Wake, float]] = {}
        self._thread: threading.Thread | None = None
        self._bell = -1
        self._ears: list[_Ear] = []
        self._late: dict[bytes, float] = {}
        """Channel -> when to look whether the first has come."""

    def listen(self, channel: bytes, wake: Wake) -> bool:
        """Call `wake(channel)`, from the thread, when it is this process's turn there, for IDLE_S from now
        on. Whether that can be relied upon by now: a majority of the servers has us on its list."""
        with self._lock:
            fresh = channel not in self._wakes
            self._wakes.setdefault(channel, {})[wake] = monotonic_s() + IDLE_S
            if self._thread is None:
                self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
                self._ears = [_Ear(settings) for settings in self._servers.settings]
                self._thread = threading.Thread(target=self._run, name="ganger-turns", daemon=True)
                self._thread.start()
            elif fresh:
                os.eventfd_write(self._bell, 1)
            heard = sum(channel in ear.heard for ear in self._ears)
        return heard > self._servers.count // 2

    # ---- the thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        bell, ears = self._bell, self._ears
        try:
            while channels := self._wanted():
                for ear in ears:
                    ear.follow(channels)
                poller = select.poll()
                poller.register(bell, select.POLLIN)
                by_fd = {ear.link.fileno(): ear for ear in ears if ear.link is not None}
                for fd, ear in by_fd.items():
                    poller.register(fd, ear.link.wants() if ear.link else 0)
                for fd, events in poller.poll(self._pause_s() * 1000):
                    if fd == bell:
                        with contextlib.suppress(BlockingIOError):
                            os.eventfd_read(bell)
                    else:
                        for channel, who in by_fd[fd].hear(events):
                            self._told(channel, who)
                self._wake_late()
        finally:
            with self._lock:
                if self._bell == bell:  # nobody has started another yet
                    self._thread, self._bell = None, -1
            for ear in ears:
                ear.close()
            os.close(bell)

    def _wanted(self) -> set[bytes]:
        """The channels that somebody waits on, or did a short while ago; when there is none the thread is to
        end, and the next one who waits starts another."""
        now_s = monotonic_s()
        with self._lock:
            for channel, wakes in list(self._wakes.items()):
                for wake, until_s in list(wakes.items()):
                    if until_s <= now_s:
                        del wakes[wake]
                if not wakes:
                    del self._wakes[channel]
            if not self._wakes:
                self._thread = None
            return set(self._wakes)

    def _told(self, channel: bytes, said: bytes) -> None:
        """`<first> <second> <ms that a seat is kept for the first>`."""
        first, second, kept_ms = [*said.decode("ascii", "replace").split(" "), "", ""][:3]
        if first == self._servers.asker:
            self._wake(channel)
        elif second == self._servers.asker and kept_ms.isdigit():
            self._late[channel] = monotonic_s() + (int(kept_ms) + 1) / 1000

    def _pause_s(self) -> float:
        return min([AGAIN_S, *(max(0.0, at_s - monotonic_s()) for at_s in self._late.values())])

    def _wake_late(self) -> None:
        now_s = monotonic_s()
        for channel in [channel for channel, at_s in self._late.items() if at_s <= now_s]:
            del self._late[channel]
            self._wake(channel)

    def _wake(self, channel: bytes) -> None:
        self._late.pop(channel, None)
        with self._lock:
            wakes = list(self._wakes.get(channel, ()))
        for wake in wakes:
            with contextlib.suppress(RuntimeError):  # of a loop that has been closed
                wake(channel)


class _Ear:
    """The connection to one server. Only the thread's, but for `heard`."""

    def __init__(self, settings: RedisSettings) -> None:
        self.link: Link | None = None
        self.heard: frozenset[bytes] = frozenset()
        """Channels that the server has us on the list of."""
        self._peer = Peer(Node(*settings.nodes[0]), settings)
        self._asked: set[bytes] = set()
        self._again_s = self._said_s = self._pinged_s = 0.0

    def follow(self, channels: set[bytes]) -> None:
        """Be on the list of these channels and no others; connect, ask whether it is still there."""
        now_s = monotonic_s()
        if self.link is not None and now_s - self._said_s > SILENT_S:
            self.close()
        if self.link is None and now_s < self._again_s:
            return
        try:
            if self.link is None:
                self._again_s, self._said_s = now_s + AGAIN_S, now_s
                self.link = self._peer.open()
                self.link.start(b"", 0)
            wanted, unwanted = channels - self._asked, self._asked - channels
            payload = b"".join(pack((b"SUBSCRIBE", channel)) for channel in sorted(wanted))
            payload += b"".join(pack((b"UNSUBSCRIBE", channel)) for channel in sorted(unwanted))
            if now_s - max(self._said_s, self._pinged_s) > PING_S:
                payload += pack((b"PING",))
                self._pinged_s = now_s
            if payload:
                self.link.start(payload, 0)
            self._asked = set(channels)
            self.heard &= channels
        except (LinkLost, LinkRefused):
            self.close()

    def hear(self, events: int) -> list[tuple[bytes, bytes]]:
        """What has come: (channel, who is woken)."""
        if self.link is None:
            return []
        try:
            self.link.advance(events)
        except (LinkLost, LinkRefused):
            self.close()
            return []
        replies, self.link.replies = self.link.replies, []
        self._said_s = monotonic_s()
        return [said for reply in replies if (said := self._sort(reply)) is not None]

    def close(self) -> None:
        """Nothing is heard any more; `follow` connects anew."""
        if self.link is not None:
            self.link.close()
        self.link, self.heard, self._asked = None, frozenset(), set()

    def _sort(self, reply: Any) -> tuple[bytes, bytes] | None:
        match reply:
            case [b"message", bytes() as channel, bytes() as who]:
                return channel, who
            case [b"subscribe", bytes() as channel, _] if channel in self._asked:
                self.heard |= {channel}
        return None


_living: "weakref.WeakSet[Listener]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for listener in list(_living):
        ears, bell = listener._ears, listener._bell
        listener._forget_all()
        for ear in ears:
            ear.close()
        if bell >= 0:
            os.close(bell)


os.register_at_fork(after_in_child=_after_fork_in_child)

"""The master's end of one child's channel, with a queue for what the child is too busy to take.

A channel holds some 280 small messages and then refuses; the master never waits, so the rest is kept here, in
order, and offered again at each tick. Who says what is messages.py's matter.
"""

import contextlib
import socket
from collections import deque

from gangerd.linux.channel import Channel, Closed
from gangerd.messages import Message, decode, encode

MAX_QUEUED = 1024
"""Past this a child is not busy but hung; what would come on top is dropped (its deadline ends it)."""


class Mailbox:
    """Not thread-safe. After `close` sends are dropped and nothing is received."""

    def __init__(self, end: socket.socket, *, credentials: bool = False) -> None:
        self._channel: Channel[Message] = Channel(end, encode, decode, credentials=credentials)
        self._queue: deque[tuple[Message, tuple[int, ...], socket.socket | None]] = deque()
        self.closed = False
        self.dropped = 0
        self.strange: dict[str, int] = {}
        """What it said that was not for it to say, by kind; told when it is gone."""

    def fileno(self) -> int:
        return self._channel.fileno()

    @property
    def sender_pid(self) -> int | None:
        """Who sent the newest message read, by the kernel's word (with `credentials`)."""
        return self._channel.sender_pid

    @property
    def garbage(self) -> int:
        return self._channel.garbage

    def send(
        self, message: Message, fds: tuple[int, ...] = (), hand_over: socket.socket | None = None
    ) -> None:
        """Send now or when there is room. `hand_over` goes along after `fds` and is closed here once it has
        gone: from then on the other side alone holds it."""
        if self.closed or len(self._queue) >= MAX_QUEUED:
            self.dropped += 1
            if hand_over is not None:
                hand_over.close()
            return
        self._queue.append((message, fds, hand_over))
        self.flush()

    def flush(self) -> None:
        """Offer what is queued again."""
        with contextlib.suppress(Closed):  # its reader hears of the end by receive(), and the reaper too
            while self._queue:
                message, fds, hand_over = self._queue[0]
                extra = (hand_over.fileno(),) if hand_over is not None else ()
                if not self._channel.send(message, extra + fds):
                    return
                self._queue.popleft()
                if hand_over is not None:
                    hand_over.close()

    def busy(self) -> bool:
        """Something is still queued: no use offering more."""
        return bool(self._queue)

    def receive(self) -> tuple[list[tuple[Message, tuple[int, ...]]], bool]:
        """What has come, and whether the other end is gone."""
        if self.closed:
            return [], True
        try:
            return self._channel.receive(), False
        except Closed:
            return [], True

    def unexpected(self, kind: str) -> None:
        self.strange[kind] = self.strange.get(kind, 0) + 1

    def close(self) -> None:
        """Also closes what was never handed over."""
        if not self.closed:
            self.closed = True
            self._channel.close()
            for _, _, hand_over in self._queue:
                if hand_over is not None:
                    hand_over.close()
            self._queue.clear()

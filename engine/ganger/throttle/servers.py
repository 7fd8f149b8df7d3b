"""The independent servers that hold throttles, asked all at once, and told apart from servers that can't.

`converse` sends calls, hands each reply to its call and sends what that says, until the caller has what it
wants. It never waits for a server beyond the limit of each call; one that was slow or dead is then left alone
for a second, after which one call tries it, and nobody waits for that one while the others suffice. Replies
that come after their conversation are heard in a later one.

One conversation at a time in a process. Safe to share by threads, and in a forked child, which connects anew.
"""

import os
import secrets
import select
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ganger.clock import monotonic_s
from ganger.command import Command
from ganger.config import parse_redis_url
from ganger.errors import BadSettings, BadThrottleServer, NotConfigured
from ganger.throttle.line import Call, Line
from ganger.throttle.server_check import Life, twins

ANSWER_S = 0.1
"""How long a server may take to answer, where others can answer in its place."""
ONLY_ANSWER_S = 1.0
"""The same for one that is the only one."""
_FIRST_S = 1.0
_LINGER_S = 0.001
"""How long the rest are waited for when the caller has what it wants: every vote more is good to have."""


class Servers:
    """The servers of these URLs, one each. Raises BadSettings; what else is wrong is found at the first
    use, or, where that is `known` to have gone well, makes a server count as one that is away."""

    def __init__(self, urls: Sequence[str], *, answer_s: float | None = None, known: bool = False) -> None:
        if not urls:
            raise NotConfigured(
                "No server for semaphores is configured: set GANGER_SEMAPHORES=redis://h1:port,redis://h2:port"
                ",redis://h3:port (standalone servers, one URL each), or start `ganger embedded` here."
            )
        settings = [parse_redis_url(url) for url in urls]
        if any(len(each.nodes) != 1 for each in settings):
            raise BadSettings(
                "Each URL of GANGER_SEMAPHORES names one server: put commas between whole URLs."
            )
        # All processes must agree on the order, whatever the order of their URLs.
        self.settings = sorted(settings, key=lambda one: one.nodes)
        self.lines = [Line(each) for each in self.settings]
        self.asker = secrets.token_hex(8)
        """What this process is called among those who wait."""
        self._answer_s = answer_s or (ANSWER_S if len(urls) > 1 else ONLY_ANSWER_S)
        self._lock = threading.Lock()
        self._checked = known
        _living.add(self)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.lines)

    def order(self, turn: int) -> list[int]:
        """All servers, those that are well first, from `turn` on: names don't all have the same gate."""
        numbers = [(turn + place) % self.count for place in range(self.count)]
        return sorted(numbers, key=lambda number: not self.lines[number].well)

    def call(
        self, server: int, build: Callable[[Life], Command], hear: Callable[[Any], Iterable[Call]]
    ) -> Call:
        """A call for `converse`; see there."""
        return Call(self.lines[server], build, lambda reply: list(hear(reply)))

    def converse(self, calls: Iterable[Call], done: Callable[[], bool] = lambda: False) -> None:
        """Send them and what their replies bring about, until `done`, or until all are answered or silent.
        Raises BadThrottleServer at the first use of servers that can't be used as such."""
        with self._lock:
            try:
                if not self._checked:
                    self._check()
                self._converse(deque(calls), done, self._answer_s)
            except BaseException:  # a signal handler's: replies would be taken for those of later calls
                self._drop_all()
                raise

    def check(self) -> None:
        """Ask all who they are. Raises BadThrottleServer; silence is no reason."""
        with self._lock:
            self._check()

    def problems(self) -> str:
        """What is wrong with those that are of no use now, for error texts."""
        found = [
            line.misplaced or f"{line.place}: {line.problem}"
            for line in self.lines
            if line.problem or line.misplaced
        ]
        return "; ".join(found)

    def close(self) -> None:
        """Close the connections; the next use connects anew."""
        with self._lock:
            self._drop_all()

    # ---- inside ------------------------------------------------------------------------------------

    def _check(self) -> None:
        ping = Command(0, (b"PING",))
        calls = [Call(line, lambda _life: ping, lambda _reply: []) for line in self.lines]
        self._converse(deque(calls), lambda: False, _FIRST_S)
        for line in self.lines:
            if line.misplaced:
                raise BadThrottleServer(line.misplaced)
        self._checked = True

    def _converse(self, calls: deque[Call], done: Callable[[], bool], answer_s: float) -> None:
        waiting: set[Call] = set()
        linger_s = float("inf")

        def hear(call: Call, reply: Any) -> None:
            waiting.discard(call)
            calls.extend(call.hear(reply))

        # What came while nobody listened was in time, whenever that is.
        self._poll(0.0, hear)
        while True:
            now_s = monotonic_s()
            while calls:
                call = calls.popleft()
                call.due_s = now_s + answer_s
                waiting.add(call)
                if not call.line.post(call, now_s):
                    call.told = True
                    hear(call, None)
            for line in self.lines:
                for late in line.overdue(now_s):
                    hear(late, None)
            if calls:
                continue
            if done():
                linger_s = min(linger_s, now_s + _LINGER_S)
            if not waiting or now_s >= linger_s:
                return
            self._poll(min(linger_s, *(call.due_s for call in waiting)) - now_s, hear)

    def _poll(self, wait_s: float, hear: Callable[[Call, Any], None]) -> None:
        poller = select.poll()
        by_fd = {}
        for line in self.lines:
            link = line.link
            if link is not None:
                poller.register(link, link.wants())
                by_fd[link.fileno()] = line
        if not by_fd:
            return
        for fd, events in poller.poll(max(0.0, wait_s) * 1000):
            line = by_fd[fd]
            fresh = line.life is None
            for call, reply in line.pump(events, monotonic_s()):
                hear(call, reply)
            if fresh and line.life is not None:
                self._compare(line)

    def _compare(self, line: Line) -> None:
        """A server that is another one of ours has no vote of its own."""
        for other in self.lines:
            if other is not line and other.life and line.life and other.life.run == line.life.run:
                line.misplaced = twins(str(line.place), str(other.place))
                line.expel(monotonic_s())
                return

    def _drop_all(self) -> None:
        for line in self.lines:
            line.drop()
            line.overdue(monotonic_s())

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self.asker = secrets.token_hex(8)
        for line in self.lines:
            line.reset()


_living: "weakref.WeakSet[Servers]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for servers in list(_living):
        servers._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)

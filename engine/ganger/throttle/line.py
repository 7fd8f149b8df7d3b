"""One server of a throttle: its connection, who is waiting for a reply on it, and whether it is to be left
alone for a while.

All calls of a process go over one connection, in order: so a release can't overtake the acquire before it.
A connection is to one life of the server, whose run id is asked first and goes into every script. Not
thread-safe; servers.py holds a lock, and does the polling.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from ganger.command import Command
from ganger.config import RedisSettings
from ganger.errors import WrongPassword
from ganger.throttle.server_check import Life, complaint, read_life
from ganger.wire.link import Link, LinkLost, LinkRefused, ReplyError, pack
from ganger.wire.node import Node
from ganger.wire.peer import Peer
from ganger.wire.replies import Advice, classify
from ganger.wire.server_check import read_info

_RESENT_S = 0.1
"""A script that the server did not know is given so long at least when it is sent with its source."""
_GIVE_UP_S = 1.0
"""A reply may come so late, after its caller was told of silence, before the connection is given up."""


class Call:
    """A script for one server. `build` makes it once the server's life is known; `hear` gets the reply, or
    None when none came in time, and says what to call then. A reply that comes late is heard as well."""

    __slots__ = ("build", "command", "due_s", "hear", "line", "told")

    def __init__(
        self, line: "Line", build: Callable[[Life], Command], hear: Callable[[Any], "list[Call]"]
    ) -> None:
        self.line = line
        self.build = build
        self.hear = hear
        self.command: Command | None = None
        self.due_s = 0.0
        self.told = False


class Line:
    """See above."""

    def __init__(self, settings: RedisSettings) -> None:
        self.place = Node(*settings.nodes[0])
        self.life: Life | None = None
        self.problem = "it was not asked yet"
        """Why it is of no use now, for error texts; "" when it is well."""
        self.misplaced = ""
        """A sentence: it answers, but can't be a server for semaphores."""
        self._peer = Peer(self.place, settings)
        self._link: Link | None = None
        self._calls: deque[Call] = deque()
        self._unsent: list[Call] = []
        self._abandoned: list[Call] = []
        """Waited for when the connection broke."""

    # ---- for servers.py ----------------------------------------------------------------------------

    @property
    def link(self) -> Link | None:
        """To be polled, when something is waited for."""
        return self._link if self._calls or self._unsent or self.life is None else None

    @property
    def well(self) -> bool:
        """Worth being asked first?"""
        return self._peer.breaker.closed

    def post(self, call: Call, now_s: float) -> bool:
        """Send it, or keep it until the connection is ready; False when the server is left alone now."""
        if not self._peer.breaker.allows(now_s):
            return False
        try:
            if self._link is not None and not self._calls and not self._unsent and self._link.is_stale():
                self.drop()
            if self._link is None:
                self._link = self._peer.open()
                self._link.start(pack((b"INFO",)), 1)
            self._unsent.append(call)
            if self.life is not None:
                self._flush()
        except LinkLost as error:
            self._failed(str(error), now_s)
            return False
        return True

    def pump(self, events: int, now_s: float) -> list[tuple[Call, Any]]:
        """Go on after poll said `events`; the replies that have come, None for calls that get none."""
        link = self._link
        if link is None:
            return []
        heard: list[tuple[Call, Any]] = []
        try:
            try:
                link.advance(events)
            finally:
                self._take(link, heard, now_s)
        except (LinkLost, LinkRefused) as error:
            if isinstance(error, LinkRefused) and classify(str(error)).error is WrongPassword:
                self.misplaced = (
                    f"The server for semaphores at {self.place} refuses our user name or password."
                )
            if isinstance(error, LinkLost) and not error.connecting and not self.misplaced:
                self.problem = str(error)  # a restart, maybe: it may be back already
                self.drop()
            else:
                self._failed(str(error), now_s)
        return heard

    def overdue(self, now_s: float) -> list[Call]:
        """Calls whose time is up, each told once; a connection that stays silent is given up."""
        waiting = (*self._calls, *self._unsent)
        late = [call for call in waiting if not call.told and now_s >= call.due_s]
        if late:
            self.problem = "it did not answer in time"
            self._peer.breaker.failed(now_s)
        if waiting and now_s >= waiting[0].due_s + _GIVE_UP_S:
            self._failed("it did not answer in time", now_s)
        late += [call for call in self._abandoned if not call.told and call not in late]
        self._abandoned = []
        for call in late:
            call.told = True
        return late

    def expel(self, now_s: float) -> None:
        """It is `misplaced`: no vote of it may count."""
        self._failed(self.misplaced, now_s)

    def drop(self) -> None:
        """Close the connection; who waits on it hears of that from `overdue`."""
        if self._link is not None:
            self._link.close()
        self._link = self.life = None
        self._abandoned += [*self._calls, *self._unsent]
        self._calls.clear()
        self._unsent.clear()

    def reset(self) -> None:
        """In a forked child: the parent goes on using the connection."""
        self.drop()
        self._abandoned = []
        self._peer.breaker.succeeded()

    # ---- inside ------------------------------------------------------------------------------------

    def _take(self, link: Link, heard: list[tuple[Call, Any]], now_s: float) -> None:
        replies, link.replies = link.replies, []
        for reply in replies:
            if self.life is None:
                self._greeted(reply, heard, now_s)
                continue
            call = self._calls.popleft()
            assert call.command is not None
            if isinstance(reply, ReplyError):
                if str(reply).startswith("NOSCRIPT") and call.command.fallback is not None:
                    call.command = call.command.with_fallback()
                    call.due_s = max(call.due_s, now_s + _RESENT_S)
                    self._send([call])
                    continue
                self.problem = f"it answered: {reply}"
                self._peer.breaker.failed(now_s)
                heard.append((call, None))
                continue
            self.problem = ""
            self._peer.breaker.succeeded()
            heard.append((call, reply))

    def _greeted(self, reply: Any, heard: list[tuple[Call, Any]], now_s: float) -> None:
        """INFO has come: who is it? Then send what waits."""
        if isinstance(reply, ReplyError):
            verdict = classify(str(reply))
            if verdict.advice is Advice.FATAL or verdict.error is WrongPassword:
                self.misplaced = f"The server for semaphores at {self.place} answered: {reply}"
            raise LinkLost(str(reply), sent=False, connecting=True)
        info = read_info(reply)
        self.misplaced = complaint(str(self.place), info)
        if self.misplaced:
            raise LinkLost(self.misplaced, sent=False)
        self.life = read_life(info)
        self._flush()

    def _flush(self) -> None:
        calls, self._unsent = self._unsent, []
        assert self.life is not None
        for call in calls:
            call.command = call.build(self.life)
        self._send(calls)

    def _send(self, calls: list[Call]) -> None:
        assert self._link is not None
        self._calls.extend(calls)
        payload = b"".join([pack(call.command.words) for call in calls if call.command is not None])
        # What has come is taken at once, so all that is expected is what is waited for.
        self._link.start(payload, len(self._calls))

    def _failed(self, why: str, now_s: float) -> None:
        self.problem = why
        self._peer.failed(now_s)
        self.drop()

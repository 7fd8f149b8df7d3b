"""One trip: some commands, each to its own node, until each has a reply or an error.

All nodes get their requests before any reply is awaited, and one poll loop serves them all, repetitions
included: a node that hangs costs its own commands their deadline and the others nothing. Each command keeps
its own count of attempts. Whether a repetition is safe is not asked here: every script of ganger is
idempotent (memo, lease token), and a reply that says "not run" is told apart from silence, which ends as
OutcomeUnknown.
"""

import select
import time
from collections.abc import Sequence
from typing import Any

from ganger.command import Command
from ganger.durability import WHOSE, broken, patience_s, questions, shortfall
from ganger.errors import ClusterUnavailable, NodeDown, OutcomeUnknown
from ganger.wire.errand import Exchange, Item
from ganger.wire.link import Link, LinkLost, LinkRefused, ReplyError, pack
from ganger.wire.node import read_address
from ganger.wire.peer import Peer
from ganger.wire.replies import Advice, classify, explain, pause_s
from ganger.wire.routes import Routes

_ASKING = pack(("ASKING",))
_EAGER_ATTEMPTS = 3
"""So many redirections are followed without a pause."""
_TIME_TO_ANSWER_S = 0.05
"""What has certainly not run is not sent again with less than this left: silence would make it unknown."""


class Trip:
    """See above. Make one, `run` it once; the results are in the order of the commands."""

    def __init__(
        self,
        routes: Routes,
        commands: Sequence[Command],
        deadline_s: float,
        replicas: int,
        results: list[Any] | None = None,
    ) -> None:
        self.results: list[Any] = [None] * len(commands) if results is None else results
        self._routes = routes
        self._deadline_s = deadline_s
        self._replicas = replicas
        self._patience_s = patience_s(replicas)
        self._waiting = [Item(index, command) for index, command in enumerate(commands)]
        self._active: dict[int, Exchange] = {}

    def run(self) -> list[Any]:
        """Go on until every command has a result: a reply, or a GangerError (not raised)."""
        try:
            while self._waiting or self._active:
                now_s = time.monotonic()
                due = [item for item in self._waiting if item.due_s <= now_s]
                if due:
                    self._waiting = [item for item in self._waiting if item.due_s > now_s]
                    self._launch(due, now_s)
                if self._active or self._waiting:
                    self._await()
        finally:
            for exchange in self._active.values():  # only after an exception from outside: a signal handler's
                exchange.link.close()
        if self._routes.stale:
            self._routes.refresh(time.monotonic())
        return self.results

    def resume(self, peer: Peer, outcome: Any, started_s: float) -> list[Any]:
        """Go on from a first attempt made elsewhere: its error reply, LinkLost or TimeoutError."""
        now_s = time.monotonic()
        item = self._waiting.pop()
        if isinstance(outcome, LinkLost):
            self._lost(peer, [item], outcome, now_s)
        elif isinstance(outcome, TimeoutError):
            self._silent(peer, [item], True, started_s, now_s)
        else:
            self._refused(item, str(outcome), peer, now_s)
        return self.run()

    def take_over(
        self, link: Link, peer: Peer, commands: list[tuple[int, Command]], started_s: float
    ) -> None:
        """Go on from a pipeline that was started elsewhere and has not been answered in full."""
        items: list[Item | None] = [Item(index, command) for index, command in commands]
        exchange = Exchange(link, peer, items, started_s)
        self._active[id(exchange)] = exchange

    def take_over_lost(self, peer: Peer, commands: list[tuple[int, Command]], error: LinkLost) -> None:
        """Go on from a pipeline whose link broke."""
        self._lost(peer, [Item(index, command) for index, command in commands], error, time.monotonic())

    def take_over_refused(self, peer: Peer, index: int, command: Command, reply: ReplyError) -> None:
        """Go on from an error reply."""
        self._refused(Item(index, command), str(reply), peer, time.monotonic())

    # ---- sending ---------------------------------------------------------------------------------------

    def _launch(self, items: list[Item], now_s: float) -> None:
        routes = self._routes
        if routes.stale and any(item.attempt for item in items):
            routes.refresh(now_s)
        denied = self._send_all(items, now_s)
        if denied:
            # Nobody would notice a failover if all callers failed fast: look whether the slots have moved.
            routes.refresh(now_s)
            denied = self._send_all(denied, now_s)
        for item in denied:
            peer = routes.table[item.command.slot]
            if peer is None:
                item.kind, item.place, item.why = ClusterUnavailable, "the slot map", "nobody serves the slot"
            elif not item.attempt or item.probe:
                item.place, item.why = str(peer.node), "it did not answer a moment ago"
                self.results[item.index] = item.verdict()
                continue
            item.attempt += 1
            self._again(item, now_s, pause_s(item.attempt, routes.rng))

    def _send_all(self, items: list[Item], now_s: float) -> list[Item]:
        """Send each to its node; those whose node is down (or unknown) come back."""
        table, groups, denied = self._routes.table, dict[Peer, list[Item]](), list[Item]()
        for item in items:
            peer = self._routes.peer_at(item.ask) if item.ask else table[item.command.slot]
            if peer is None:
                denied.append(item)
            elif peer in groups:
                groups[peer].append(item)
            else:
                groups[peer] = [item]
        for peer, group in groups.items():
            if peer.breaker.allows(now_s):
                self._send(peer, group, now_s)
            else:
                denied += group
        return denied

    def _send(self, peer: Peer, group: list[Item], now_s: float) -> None:
        parts: list[bytes] = []
        shape: list[Item | None] = []
        if self._replicas:
            parts.append(pack(WHOSE))
            shape.append(None)
        for item in group:
            if item.ask:
                parts.append(_ASKING)
                shape.append(None)
            parts.append(pack(item.command.words))
            shape.append(item)
        if self._replicas:
            left_ms = max(1, int(min(self._patience_s, (self._deadline_s - now_s) * 0.8) * 1000))
            parts += map(pack, (*questions(self._replicas, left_ms), WHOSE))
        link: Link | None = None
        try:
            link = peer.take(now_s)
            link.start(b"".join(parts), len(parts))
        except LinkLost as error:
            if link is not None:
                link.close()
            self._lost(peer, group, error, now_s)
            return
        exchange = Exchange(link, peer, shape, now_s)
        self._active[id(exchange)] = exchange

    # ---- waiting ---------------------------------------------------------------------------------------

    def _await(self) -> None:
        """Poll all links once, until something happens, an attempt's time is up, or a repetition is due."""
        poller = select.poll()
        by_fd: dict[int, Exchange] = {}
        until_s = min((item.due_s for item in self._waiting), default=self._deadline_s)
        for exchange in self._active.values():
            fd = exchange.link.fileno()
            by_fd[fd] = exchange
            poller.register(fd, exchange.link.wants())
            until_s = min(until_s, self._expires_s(exchange))
        ready = poller.poll(max(0.0, (until_s - time.monotonic()) * 1000))
        now_s = time.monotonic()
        for fd, events in ready:
            self._advance(by_fd.pop(fd), events, now_s)
        for exchange in by_fd.values():
            if self._expires_s(exchange) <= now_s:
                self._expire(exchange, now_s)

    def _expires_s(self, exchange: Exchange) -> float:
        settings = self._routes.settings
        limit_s = settings.connect_timeout_s if exchange.link.connecting else settings.socket_timeout_s
        return min(self._deadline_s, exchange.started_s + limit_s + self._patience_s)

    def _advance(self, exchange: Exchange, events: int, now_s: float) -> None:
        link, peer = exchange.link, exchange.peer
        try:
            if not link.advance(events):
                return
        except LinkLost as error:
            self._drop(exchange)
            self._lost(peer, exchange.items(), error, now_s)
        except LinkRefused as error:
            self._drop(exchange)
            peer.refused_s = now_s
            for item in exchange.items():
                self._refused(item, str(error), peer, now_s)
        else:
            del self._active[id(exchange)]
            replies = link.replies
            peer.give(link, now_s)
            self._done(exchange, replies, now_s)

    def _drop(self, exchange: Exchange) -> None:
        exchange.link.close()
        del self._active[id(exchange)]

    def _expire(self, exchange: Exchange, now_s: float) -> None:
        link, peer = exchange.link, exchange.peer
        sent, connecting = link.sent, link.connecting
        self._drop(exchange)
        if connecting:
            peer.failed(now_s)
        self._silent(peer, exchange.items(), sent, exchange.started_s, now_s)

    # ---- outcomes --------------------------------------------------------------------------------------

    def _done(self, exchange: Exchange, replies: list[Any], now_s: float) -> None:
        results, missing = self.results, ""
        if self._replicas:
            missing = shortfall(self._replicas, replies[-2]) or broken(replies[0], replies[-1])
        for item, reply in zip(exchange.shape, replies, strict=False):
            if item is None:
                continue
            if isinstance(reply, ReplyError):
                self._refused(item, str(reply), exchange.peer, now_s)
            elif missing:
                results[item.index] = OutcomeUnknown(
                    f"{item.command.title()} ran on {exchange.peer.node}, but {missing}: a failover now may"
                    " lose it."
                )
            else:
                results[item.index] = reply

    def _refused(self, item: Item, text: str, peer: Peer, now_s: float) -> None:
        """An error reply: the command was not run."""
        verdict, routes = classify(text), self._routes
        item.ask = None
        if not item.maybe:  # else what will be told is why it may have run
            item.kind, item.place, item.why = verdict.error, str(peer.node), text
        item.attempt += 1
        pause = (
            0.0 if item.attempt <= _EAGER_ATTEMPTS else pause_s(item.attempt - _EAGER_ATTEMPTS, routes.rng)
        )
        match verdict.advice:
            case Advice.MOVED:
                routes.patch(item.command.slot, read_address(verdict.target, peer.node))
            case Advice.ASK:
                item.ask = read_address(verdict.target, peer.node)
            case Advice.SOURCE if item.command.fallback is not None:
                item.command = item.command.with_fallback()
            case Advice.WAIT | Advice.REFRESH:
                routes.stale = routes.stale or verdict.advice is Advice.REFRESH
                pause = pause_s(item.attempt, routes.rng)
            case _:
                self.results[item.index] = explain(verdict.error, item.command.title(), str(peer.node), text)
                return
        self._again(item, now_s, pause)

    def _lost(self, peer: Peer, items: list[Item], error: LinkLost, now_s: float) -> None:
        """The connection broke: at once again if it was an old one, after a pause if a new one failed. A
        prober whose node still refuses is told so at once: its caller may have another place to go."""
        probe = not peer.breaker.closed and error.connecting
        if error.connecting:
            peer.failed(now_s)
        else:
            peer.drop_idle()
        self._routes.stale = True
        for item in items:
            item.maybe = item.maybe or error.sent
            item.kind, item.place, item.why, item.ask = NodeDown, str(peer.node), str(error), None
            item.attempt += 1
            item.probe = probe and item.attempt == 1
            eager = item.attempt == 1 and (probe or not error.connecting)
            self._again(item, now_s, 0.0 if eager else pause_s(item.attempt, self._routes.rng))

    def _silent(self, peer: Peer, items: list[Item], sent: bool, started_s: float, now_s: float) -> None:
        """No reply in time. (A caller in a hurry proves nothing about the node.)"""
        if now_s - started_s >= self._routes.settings.socket_timeout_s / 2:
            peer.failed(now_s)
        self._routes.stale = True
        for item in items:
            item.maybe = item.maybe or sent
            item.kind, item.place, item.why, item.ask = NodeDown, str(peer.node), "no answer in time", None
            item.attempt += 1
            self._again(item, now_s, pause_s(item.attempt, self._routes.rng))

    def _again(self, item: Item, now_s: float, pause: float) -> None:
        item.due_s = now_s + pause
        needs_s = _TIME_TO_ANSWER_S if pause and not item.maybe else 0.0
        if item.due_s + needs_s < self._deadline_s:
            self._waiting.append(item)
        else:
            self.results[item.index] = item.verdict()

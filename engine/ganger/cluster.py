"""The transport: commands to the nodes of a Redis Cluster, and errors of ganger's own tree back.

Operations build `Command`s and call `run` or `run_many`; the coordinator also uses `nodes`, `run_on` and
`connection`. A Cluster is thread-safe, and fork-safe in this sense: the child drops the parent's sockets
without a word and connects anew. Nothing is sent before the first call.

What is repeated, and what an error means, is in wire/trip.py and wire/replies.py. In short: redirections and
"not now" are followed until the deadline; silence and lost connections are repeated too (scripts are
idempotent) and end as OutcomeUnknown if any attempt may have run, as NodeDown if none did. A node that just
failed is left alone for a second: new calls to it fail at once with NodeDown, but for one that probes it.
"""

import contextlib
import os
import random
import time
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

from ganger.clock import now_ms
from ganger.command import Command, Word
from ganger.config import RedisSettings
from ganger.durability import TRIAL, OnDisk
from ganger.errors import (
    PASSING,
    GangerError,
    NodeDown,
    NoDisk,
    OutcomeUnknown,
)
from ganger.wire.breaker import DOWN_S
from ganger.wire.link import Link, LinkLost, LinkRefused, ReplyError, pack
from ganger.wire.node import Node
from ganger.wire.peer import Peer
from ganger.wire.replies import Advice, classify, explain
from ganger.wire.routes import Routes
from ganger.wire.server_check import check_server, read_info
from ganger.wire.subscription import Subscription
from ganger.wire.trip import Trip
from ganger.wire.volley import volley

__all__ = ["Cluster", "Command", "Node", "Subscription"]

_KNOCK_S = 0.5
_monotonic = time.monotonic


class Cluster:
    """See above. `rng` jitters the pauses between repetitions."""

    def __init__(self, settings: RedisSettings, *, rng: random.Random | None = None) -> None:
        self.settings = settings
        self._routes = Routes(settings, rng or random.Random())
        self._timeout_ms = max(1, int(settings.socket_timeout_s * 1000))
        self._plain = not settings.tls
        _living.add(self)

    def run(self, command: Command, *, deadline_s: float = 10.0, replicas: int = 0) -> Any:
        """The reply to one command.

        `replicas` > 0: wait until so many replicas have what it wrote (so an idempotent repeat that writes
        nothing is confirmed at once); an OnDisk: until it is on their disks and the primary's. Raises
        GangerError: OutcomeUnknown where it may have run; NodeDown, ClusterUnavailable, ServerFull,
        ServerBusy, WriteRefused, NoDisk where it was not run; ScriptFailed.
        """
        routes = self._routes
        peer = routes.table[command.slot]
        outcome: Any = None
        if peer is not None and peer.breaker.closed and self._plain and not replicas:
            now_s = _monotonic()
            link = peer.warm(now_s)
            if link is not None:
                try:
                    outcome = link.call(
                        pack(command.words), min(self._timeout_ms, int(deadline_s * 1000) or 1)
                    )
                except (LinkLost, TimeoutError) as error:
                    link.close()
                    outcome = error
                except BaseException:  # a signal handler's: the reply would be read by the next caller
                    link.close()
                    raise
                else:
                    peer.give(link, now_s)
                    if type(outcome) is not ReplyError:
                        return outcome
                trip = Trip(routes, (command,), now_s + deadline_s, 0)
                return _value(trip.resume(peer, outcome, now_s)[0])
        return _value(self.run_many((command,), deadline_s=deadline_s, replicas=replicas)[0])

    def run_many(
        self, commands: Sequence[Command], *, deadline_s: float = 10.0, replicas: int = 0
    ) -> list[Any]:
        """The reply to each command, or a GangerError in its place (returned, not raised).

        One pipeline per node, all sent before any reply is read. Raises only when no node can be reached for
        the slot map (RedisUnreachable, WrongPassword, NotACluster), and with an OnDisk, before anything is
        run, when a node can't tell what is on its disk: NoDisk.
        """
        now_s = _monotonic()
        deadline = now_s + deadline_s
        routes = self._routes
        if not routes.loaded:
            routes.load(deadline)
        if isinstance(replicas, OnDisk):
            slots = {command.slot for command in commands}
            self._check_disks({peer for slot in slots if (peer := routes.table[slot])}, deadline)
        if self._plain and not replicas:
            results = volley(routes, commands, now_s, deadline)
            if results is not None:
                return results
        return Trip(routes, commands, deadline, replicas).run()

    def nodes(self, *, deadline_s: float = 10.0) -> list[Node]:
        """The primaries, in the order of their slots. Raises RedisUnreachable, WrongPassword, NotACluster."""
        self._routes.load(_monotonic() + deadline_s)
        return [peer.node for peer in self._routes.primaries()]

    def node_of(self, slot: int, *, deadline_s: float = 10.0) -> Node | None:
        """The primary of this slot as far as is known; None while nobody serves it. Raises like `nodes`."""
        self._routes.load(_monotonic() + deadline_s)
        peer = self._routes.table[slot]
        return peer.node if peer else None

    def is_down(self, slot: int) -> bool:
        """Would a call to this slot fail at once? Without I/O; False while nothing is known."""
        peer = self._routes.table[slot]
        return peer is not None and peer.breaker.is_down(_monotonic())

    def turns_away(self, slot: int) -> bool:
        """Has its node refused us (another password, no free connection) and answered nothing since? A call
        would wait until it is let in; who has another place to go need not. It is asked once a second."""
        peer = self._routes.table[slot]
        if peer is None or not peer.refuses():
            return False
        now_s = _monotonic()
        if now_s >= peer.refused_s + DOWN_S:
            peer.refused_s = now_s  # other threads need not ask, too
            with contextlib.suppress(LinkLost, TimeoutError):
                self._routes.ask(peer, (b"PING",), now_s + _KNOCK_S)
        return peer.refuses()

    def run_on(self, node: Node, words: Iterable[Word], *, deadline_s: float = 2.0) -> Any:
        """One command to this very node, sent once: no redirection, no repetition, no breaker.

        Raises NodeDown, OutcomeUnknown, ScriptFailed and what else an error reply means.
        """
        peer, words = self._routes.peer_at(node), tuple(words)
        command = Command(0, words)
        try:
            reply = self._routes.ask(peer, words, _monotonic() + deadline_s)
        except TimeoutError:
            raise _unknown(command, node, "did not answer in time") from None
        except LinkLost as error:
            if error.sent:
                raise _unknown(command, node, f"was lost ({error})") from None
            raise NodeDown(
                f"Redis node {node} can't be reached ({error}); {command.title()} was not run."
            ) from None
        if isinstance(reply, ReplyError):
            raise explain(classify(str(reply)).error, command.title(), str(node), str(reply))
        return reply

    def connection(self, node: Node, *, deadline_s: float = 1.0) -> Subscription:
        """A connection for sharded pub/sub, for the caller to close. Raises NodeDown, WrongPassword."""
        peer = self._routes.peer_at(node)
        link: Link | None = None
        try:
            link = peer.open()
            link.exchange(pack((b"PING",)), 1, _monotonic() + deadline_s)
            return Subscription(node, link)
        except (LinkLost, TimeoutError) as error:
            if link is not None:
                link.close()
            why = str(error) or "no answer in time"
            raise NodeDown(
                f"Redis node {node} can't be reached ({why}) for a subscription: try again."
            ) from None
        except LinkRefused as error:
            assert link is not None
            link.close()
            raise explain(classify(str(error)).error, "AUTH", str(node), str(error)) from None

    def check(self, *, durability: str = "fast", deadline_s: float = 10.0) -> list[str]:
        """Can ganger work with every primary, at this level? Returns warnings; one that can't say now is one.

        Raises RedisUnreachable, WrongPassword, NotACluster, ServerTooOld, EvictionEnabled.
        """
        # A quarter for each: one that hangs must leave time for the others, and is asked once.
        until, each_s = _monotonic() + deadline_s, min(2.0, deadline_s / 4)
        silent = self._check_seed(until, each_s)
        warnings: list[str] = []
        for node in self.nodes(deadline_s=deadline_s):
            try:
                if node in silent:
                    raise silent[node]
                info = self._info(node, until, each_s)
                warnings += check_server(node, info, durability, now_ms())
            except PASSING as error:
                warnings.append(str(error))
        return warnings

    def check_disks(self, *, deadline_s: float = 10.0) -> None:
        """Can every primary that answers tell what is on its disk? Raises NoDisk."""
        deadline = _monotonic() + deadline_s
        self._routes.load(deadline)
        self._check_disks(set(self._routes.primaries()), deadline)

    def _check_disks(self, peers: set[Peer], deadline: float) -> None:
        """Each is asked once. One that does not answer is for the call itself to find out."""
        for peer in peers:
            if peer.keeps_on_disk:
                continue
            try:
                reply = self._routes.ask(peer, TRIAL, min(deadline, _monotonic() + 1.0))
            except (LinkLost, TimeoutError):
                continue
            if isinstance(reply, ReplyError):
                if classify(str(reply)).advice is not Advice.FATAL or "replica" in str(reply):
                    continue  # it can't say now, or is no primary any more
                raise NoDisk(
                    f"Redis node {peer.node} can't do durability = fsynced ({reply}): it needs appendonly"
                    " yes, and Redis 7.2 or newer, or Valkey."
                )
            peer.keeps_on_disk = True

    def close(self) -> None:
        """Close idle connections. The Cluster may be used again; it connects anew."""
        self._routes.close()

    def _check_seed(self, until: float, each_s: float) -> dict[Node, GangerError]:
        """A server that is too old or no cluster can't answer CLUSTER SLOTS: ask one for INFO first. Answers
        which did not answer."""
        silent: dict[Node, GangerError] = {}
        for host, port in self.settings.nodes:
            node = Node(host, port)
            try:
                check_server(node, self._info(node, until, each_s))
                break
            except PASSING as error:
                silent[node] = error
        return silent

    def _info(self, node: Node, until: float, each_s: float) -> dict[str, str]:
        left_s = max(0.1, min(each_s, until - _monotonic()))
        return read_info(self.run_on(node, ("INFO",), deadline_s=left_s))

    def _after_fork(self) -> None:
        self._routes.after_fork()


def _value(result: Any) -> Any:
    if isinstance(result, GangerError):
        raise result
    return result


def _unknown(command: Command, node: Node, how: str) -> OutcomeUnknown:
    if command.only_reads():
        return OutcomeUnknown(f"Redis node {node} {how}: try again.")
    return OutcomeUnknown(f"{command.title()} was sent to Redis node {node}, which {how}: it may have run.")


_living: "weakref.WeakSet[Cluster]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for cluster in list(_living):
        cluster._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)

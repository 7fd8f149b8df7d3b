"""Which peer serves which slot: the slot map of a process, its peers, and how it is read anew.

The map is a guess that redirections correct. MOVED patches one slot at once and marks the map stale; it is
read anew by the next caller that has time (at the end of its trip, or before it repeats), at most four times
a second, from the node that answered last, with a short timeout. There is no background thread: a library
that is imported before a fork must not start any.
"""

import random
import threading
import time
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from ganger.config import RedisSettings
from ganger.errors import GangerError, NotACluster, RedisUnreachable, WrongPassword
from ganger.slots import SLOTS
from ganger.wire.link import Link, LinkLost, LinkRefused, LinkUntrusted, ReplyError, pack
from ganger.wire.node import Node, read_slots
from ganger.wire.peer import Peer
from ganger.wire.replies import classify, explain, pause_s

_REFRESH_EVERY_S = 0.25
_REFRESH_TIMEOUT_S = 0.3
_HOPELESS = (NotACluster, WrongPassword)


class SlotMap(dict[int, Peer | None]):
    """slot -> its peer, or None while nobody serves it. What was asked for stands in the dict, all else in
    stretches: a list of 16384 would be the largest object of an idle worker, and each would have its own."""

    def __init__(self, firsts: Sequence[int] = (0,), peers: Sequence[Peer | None] = (None,)) -> None:
        super().__init__()
        self._firsts = firsts
        self._peers = peers

    def __missing__(self, slot: int) -> Peer | None:
        peer = self[slot] = self._peers[bisect_right(self._firsts, slot) - 1]
        return peer

    def primaries(self) -> list[Peer]:
        """In the order of their slots."""
        peers = (self._look(slot) for slot in self._edges())
        return list(dict.fromkeys(peer for peer in peers if peer is not None))

    def under(self, stretches: Iterable[tuple[int, int, Peer]]) -> "SlotMap":
        """A map of these (first slot, last slot, peer), and below them, where none is, what this one says."""
        above = sorted(stretches, key=lambda one: one[0])
        starts = [first for first, _, _ in above]
        edges = {*self._edges(), *starts, *(last + 1 for _, last, _ in above)} - {SLOTS}
        firsts: list[int] = []
        peers: list[Peer | None] = []
        for slot in sorted(edges):
            at = bisect_right(starts, slot) - 1
            peer = above[at][2] if at >= 0 and slot <= above[at][1] else self._look(slot)
            if not firsts or peer is not peers[-1]:
                firsts.append(slot)
                peers.append(peer)
        return SlotMap(firsts, peers)

    def _look(self, slot: int) -> Peer | None:
        """Without keeping it."""
        return self[slot] if slot in self else self._peers[bisect_right(self._firsts, slot) - 1]

    def _edges(self) -> list[int]:
        """Where another peer may begin."""
        known = list(self)
        after = (slot + 1 for slot in known if slot + 1 < SLOTS)
        return sorted({*self._firsts, *known, *after})


class Routes:
    """See above. `table[slot]` is the slot's peer, or None while nobody serves it."""

    def __init__(self, settings: RedisSettings, rng: random.Random) -> None:
        self.settings = settings
        self.rng = rng
        self.table = SlotMap()
        self.stale = True
        self.loaded = False
        self._peers: dict[Node, Peer] = {}
        self._refreshed_s = 0.0
        self._lock = threading.Lock()

    def peer_at(self, node: Node) -> Peer:
        """The peer of this address, made when new."""
        return self._peers.setdefault(node, Peer(node, self.settings))

    def primaries(self) -> list[Peer]:
        """The peers that serve slots, in the order of their slots."""
        return self.table.primaries()

    def patch(self, slot: int, node: Node) -> None:
        """A MOVED said so."""
        self.table[slot] = self.peer_at(node)
        self.stale = True

    def load(self, deadline_s: float) -> None:
        """Read the map for the first time, from any of the settings' nodes.

        Raises RedisUnreachable (at once when a certificate isn't trusted), and WrongPassword or NotACluster
        when that is what one of them says and no other has the map.
        """
        attempt, why = 0, ""
        while not self.loaded:
            hopeless: GangerError | None = None
            # Who has answered before (a check asks first) goes first: another may let us wait in vain.
            for host, port in sorted(
                self.settings.nodes, key=lambda node: not self.peer_at(Node(*node)).heard_s
            ):
                now_s = time.monotonic()
                until_s = min(deadline_s, now_s + self.settings.connect_timeout_s)
                try:
                    why = self._read_from(self.peer_at(Node(host, port)), until_s)
                except _HOPELESS as error:
                    hopeless = error
                if self.loaded:
                    return
            if hopeless is not None:
                raise hopeless
            attempt += 1
            pause = pause_s(attempt, self.rng)
            if time.monotonic() + pause >= deadline_s:
                tried = ", ".join(str(Node(host, port)) for host, port in self.settings.nodes)
                raise RedisUnreachable(
                    f"Redis can't be reached at {tried} ({why}): start it, or check GANGER_REDIS."
                )
            time.sleep(pause)

    def refresh(self, now_s: float) -> None:
        """Read the map anew, unless somebody just did or is at it. Bounded by 0.6 s; never raises."""
        if now_s - self._refreshed_s < _REFRESH_EVERY_S or not self._lock.acquire(blocking=False):
            return
        try:
            self._refreshed_s = now_s
            healthy = [peer for peer in self._peers.values() if peer.breaker.closed and peer.heard_s]
            healthy.sort(key=lambda peer: -peer.heard_s)
            seeds = [self.peer_at(Node(host, port)) for host, port in self.settings.nodes]
            for peer in dict.fromkeys([*healthy[:1], *healthy[1:2], *(seeds if not healthy else ())]):
                try:
                    if not self._read_from(peer, time.monotonic() + _REFRESH_TIMEOUT_S):
                        return
                except GangerError:
                    continue
        finally:
            self._lock.release()

    def after_fork(self) -> None:
        """In the child: no socket of the parent, no lock held by a thread that is gone."""
        self._lock = threading.Lock()
        for peer in self._peers.values():
            peer.after_fork()

    def close(self) -> None:
        """Close all idle links."""
        for peer in list(self._peers.values()):
            peer.drop_idle()

    def ask(self, peer: Peer, words: tuple[Any, ...], until_s: float) -> Any:
        """One command to one node, once; an error reply is returned, one to our AUTH too.

        Raises LinkLost, TimeoutError.
        """
        link: Link | None = None
        try:
            link = peer.take(time.monotonic())
            reply = link.exchange(pack(words), 1, until_s)[0]
        except LinkRefused as error:
            assert link is not None
            link.close()
            peer.refused_s = time.monotonic()
            return ReplyError(str(error))
        except BaseException:
            if link is not None:
                link.close()
            raise
        peer.give(link, time.monotonic())
        return reply

    def _read_from(self, peer: Peer, until_s: float) -> str:
        """Ask this peer for the map and adopt it; why not, when not.

        Raises WrongPassword, NotACluster, and RedisUnreachable for a certificate that isn't trusted.
        """
        try:
            reply = self.ask(peer, ("CLUSTER", "SLOTS"), until_s)
        except TimeoutError:
            return "no answer in time"
        except LinkUntrusted as error:
            raise RedisUnreachable(
                f"Redis at {peer.node} can't be trusted ({error}): name its authority in SSL_CERT_FILE."
            ) from None
        except LinkLost as error:
            return str(error)
        if isinstance(reply, ReplyError):
            verdict = classify(str(reply))
            if verdict.error in _HOPELESS:
                raise explain(verdict.error, "CLUSTER SLOTS", str(peer.node), str(reply))
            return str(reply)
        try:
            stretches = read_slots(reply, peer.node)
        except ValueError as error:
            return str(error)
        if not stretches:
            return "its cluster serves no slots yet"
        # A slot that nobody claims keeps its last owner, who will say what is the matter.
        self.table = self.table.under(
            (stretch.first, stretch.last, self.peer_at(stretch.primary)) for stretch in stretches
        )
        self.loaded, self.stale = True, False
        return ""

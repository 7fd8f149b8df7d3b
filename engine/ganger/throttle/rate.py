"""rate_limit: at most so many in so long a time, across all hosts.

    mail = rate_limit("mail", "100/60s")
    mail.take(wait=30)

What is let through, and why it is never more, is in shares.py. A refusal has consumed nothing and says when
to come back. What was taken and is not wanted may be given back; who dies before that has used it.

Crash points: the process dies after the script: what it took is spent. The reply is lost: it may be spent;
the next server is asked.
"""

import random
import secrets
import threading
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ganger import diversion
from ganger import options as known
from ganger.clock import boottime_s, monotonic_s
from ganger.command import Command
from ganger.errors import BadOptions, QuorumLost, RateExceeded
from ganger.keys import RateKeys, check_limit
from ganger.passages import passage
from ganger.scripts import script
from ganger.threads import Threads
from ganger.throttle.default import Throttles, default_throttles
from ganger.throttle.line import Call
from ganger.throttle.server_check import Life
from ganger.throttle.servers import Servers
from ganger.throttle.shares import Rate, Share, parse_rate, shares

_THREADS = Threads(4)
_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken of a rate, and of which life of which server."""

    server: int
    run: str
    nonce: str
    count: int
    at_us: int
    """When, by the server's clock; of a window 0."""
    asked_s: float
    """When it was asked for, by this machine's clock: it was taken no earlier."""


class Tap:
    """A rate on the servers it is on: whom to ask, and what was heard of them. Raises BadName."""

    def __init__(self, name: str, rate: Rate, servers: Servers, namespace: str) -> None:
        self._name = name
        self._rate = rate
        self._servers = servers
        self._keys = RateKeys(namespace, name).all(rate.kind)
        self._shares = shares(rate, self._servers.count, zlib.crc32(name.encode()))
        self._dry: dict[int, tuple[float, int]] = {}
        """Server -> until when it can't have so many: nobody needs to ask it before."""
        self.most = max(share.most for share in self._shares.values())
        """What can be taken at once."""

    def take(self, cost: int) -> Taken | float:
        """Take `cost` from one server, or the seconds after which to try again. Raises QuorumLost when none
        that has a share answers."""
        if cost > self.most:
            raise BadOptions(
                f"cost {cost}: {self._name} lets 1 to {self.most} through at once ({self._rate},"
                f" in shares of {len(self._shares)} servers)."
            )
        waits: list[float] = []
        for server in self._order(cost):
            left_s = self._dry_s(server, cost)
            if left_s > 0:
                waits.append(left_s)
                continue
            outcome = self._take(server, cost)
            if isinstance(outcome, Taken):
                return outcome
            if outcome is not None:
                waits.append(outcome)
                self._dry[server] = monotonic_s() + outcome, cost
        if not waits:
            raise QuorumLost(
                f"No server that has a share of the rate {self._name} answers ({self._servers.problems()}).",
                retry_in_s=_AGAIN_S,
            )
        return min(waits)

    def dry_s(self) -> float:
        """For how long no server lets anything through, by what they have said; 0.0: one is to be asked."""
        return min(self._dry_s(server, 1) for server in self._shares)

    def refund(self, taken: Taken, count: int) -> None:
        """Give the last `count` of it back, once and without a second try: a bucket would count a repeat. A
        server that is away, or another since, keeps it."""
        self._dry.pop(taken.server, None)
        each_us = self._shares[taken.server].each_us if self._rate.kind == "bucket" else 0

        def build(life: Life) -> Command:
            args = (life.run, taken.run, taken.nonce, taken.count, count, each_us, taken.at_us)
            return script("rate_refund").command(0, self._keys, args)

        self._servers.converse([self._servers.call(taken.server, build, lambda reply: ())])

    # ---- inside ------------------------------------------------------------------------------------

    def _dry_s(self, server: int, cost: int) -> float:
        until_s, of = self._dry.get(server, (0.0, 0))
        return max(0.0, until_s - monotonic_s()) if cost >= of else 0.0

    def _order(self, cost: int) -> list[int]:
        """Servers with share enough, the well ones first, from one drawn at random on."""
        order = self._servers.order(random.randrange(self._servers.count))
        return [server for server in order if server in self._shares and cost <= self._shares[server].most]

    def _take(self, server: int, cost: int) -> Taken | float | None:
        """What was taken, or seconds to wait; None when it does not answer."""
        share, nonce, asked_s = self._shares[server], secrets.token_hex(6), boottime_s()
        replies: list[Any] = []
        runs: list[str] = []

        def build(life: Life) -> Command:
            runs.append(life.run)
            return script(f"rate_{self._rate.kind}").command(
                0, self._keys, self._args(life, share, cost, nonce)
            )

        def hear(reply: Any) -> Iterable[Call]:
            replies.append(reply)
            return ()

        self._servers.converse([self._servers.call(server, build, hear)])
        if not replies or replies[0] is None:
            return None
        word, *numbers = replies[0]
        if word != b"allowed":
            return float(max(1, numbers[0])) / 1e6
        return Taken(server, runs[-1], nonce, cost, numbers[1] if numbers[1:] else 0, asked_s)

    def _args(self, life: Life, share: Share, cost: int, nonce: str) -> tuple[str | int, ...]:
        if self._rate.kind == "bucket":
            return life.run, life.up_ms, share.each_us, share.most, cost
        return life.run, life.up_ms, self._rate.period_us, share.most, cost, nonce


class RateLimit:
    """See above; to be shared by threads and tasks."""

    def __init__(self, name: str, rate: Rate, throttles: Throttles | None = None) -> None:
        self.name = check_limit(name)
        self.rate = rate
        self._throttles = throttles
        self._tap: tuple[Tap, Throttles] | None = None

    def attempt(self, cost: int = 1) -> float:
        """Take `cost`: 0.0 when it is taken, else the seconds after which to try again, nothing being taken.
        Raises QuorumLost when no server that has a share answers, NotConfigured."""
        if isinstance(cost, bool) or not isinstance(cost, int) or cost < 1:
            raise BadOptions(f"cost must be a whole number above 0, not {cost!r}.")
        if diversion.current() is not None:
            return 0.0
        throttles = self._throttles or default_throttles()
        if self._tap is None or self._tap[1] is not throttles:
            tap = Tap(self.name, self.rate, throttles.servers, throttles.namespace)
            self._tap = tap, throttles
        outcome = self._tap[0].take(cost)
        return 0.0 if isinstance(outcome, Taken) else outcome

    @passage
    def take(self, cost: int = 1, *, wait: float | timedelta | None = 0) -> None:
        """Take `cost`, within `wait` seconds (0: now or not; None: however long it takes). Raises
        RateExceeded, with nothing taken, as soon as it is sure that the time will not do; QuorumLost."""
        until_s = _until_s(wait)
        while True:
            wait_s = self.attempt(cost)
            if wait_s == 0.0:
                return
            threading.Event().wait(self._pause_s(wait_s, until_s))  # a pause that JobTimeout may end

    async def atake(self, cost: int = 1, *, wait: float | timedelta | None = 0) -> None:
        """The same from a coroutine."""
        import asyncio

        until_s = _until_s(wait)
        while True:
            wait_s = await _THREADS.run(lambda: self.attempt(cost))
            if wait_s == 0.0:
                return
            await asyncio.sleep(self._pause_s(wait_s, until_s))

    def _pause_s(self, wait_s: float, until_s: float) -> float:
        if monotonic_s() + wait_s > until_s:
            raise RateExceeded(
                f"Rate {self.name} ({self.rate}) is used up, nothing was taken: try again in {wait_s:.3g} s.",
                retry_in_s=wait_s,
            )
        # Those who wait for the same moment come one after the other.
        return wait_s + random.uniform(0, min(0.05, wait_s / 10))


def rate_limit(
    name: str, rate: str, *, burst: int | None = None, throttles: Throttles | None = None
) -> RateLimit:
    """At most `rate` ("100/60s") of all that use this name. Without `burst`, in any such time; with it, on
    average, and so many at once. Raises BadName, BadOptions, NotConfigured."""
    return RateLimit(name, parse_rate(rate, burst), throttles)


def _until_s(wait: float | timedelta | None) -> float:
    if wait is None:
        return float("inf")
    return monotonic_s() + (0.0 if wait == 0 else known.check_span("wait", wait))

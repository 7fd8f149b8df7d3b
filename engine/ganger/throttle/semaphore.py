"""A semaphore: at most `limit` permits of one name at a time, across all hosts. Acquire, renew, release, take
away, look.

This runs the protocol of quorum.py over the servers; it never waits for a permit (waiting.py does) and has no
thread of its own (keeper.py renews for those who don't themselves). Used by `ganger.semaphore` and by the
daemon, which renews the permits of all its workers in one conversation.
"""

import os
import random
import secrets
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ganger.clock import boottime_s
from ganger.command import Command
from ganger.errors import BadOptions, GangerError, LimitMismatch, NoPermit, QuorumLost
from ganger.keys import SemaphoreKeys
from ganger.scripts import script
from ganger.throttle.attempt import Attempt, seats_in_turn
from ganger.throttle.holders import Holder, Seat, seats_of
from ganger.throttle.line import Call
from ganger.throttle.quorum import MOST_SEATS, TTL_MS, Answer, Ask, Holding, Refused, Terms
from ganger.throttle.server_check import Life
from ganger.throttle.servers import Servers

MOST_LIMIT = 100_000
MOST_STAYS_S = 3.0
"""Who waits says so again within this time."""
KEPT_MS = 25
"""So long a seat that has become free is kept for the one that was woken for it."""
_AGAIN_S = 1.0


class Permit:
    """The right to be one of `limit`. Valid until `valid_for_s` runs out; renew it well before."""

    def __init__(self, semaphore: "Semaphore", holding: Holding, holder: Holder) -> None:
        self.semaphore = semaphore
        self.holding = holding
        self.holder = holder
        """May be set anew: the next renewal tells the servers."""
        self.pid = os.getpid()
        """A forked child has only a copy, and must not release it."""

        self.other_limit = 0
        """What somebody else used the semaphore with just before, if that is another limit."""

    @property
    def token(self) -> str:
        """Its name."""
        return self.holding.token

    @property
    def valid(self) -> bool:
        """Does it hold now? Once it does not, it never does again."""
        return self.holding.is_valid(_now_ms())

    @property
    def valid_for_s(self) -> float:
        """For how long it holds if it is not renewed."""
        return max(0.0, (self.holding.valid_until_ms() - _now_ms()) / 1000) if self.valid else 0.0


class Semaphore:
    """See above. All who use one name must give it one limit. Raises BadName, BadOptions."""

    def __init__(
        self,
        servers: Servers,
        namespace: str,
        name: str,
        limit: int,
        *,
        ttl_ms: int = TTL_MS,
        rng: random.Random | None = None,
    ) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int) or not 0 < limit <= MOST_LIMIT:
            raise BadOptions(f"limit must be a whole number from 1 to {MOST_LIMIT}, not {limit!r}.")
        self.servers = servers
        self.name = name
        self.terms = Terms(servers.count, limit, ttl_ms)
        self.keys = SemaphoreKeys(namespace, name)
        self._rng = rng or random.Random()
        self._turn = self._rng.randrange(servers.count) if self.terms.cap else zlib.crc32(name.encode())
        self._last_seat = ""
        self._since_ms = self._tried_ms = 0.0
        self._stays_ms = 0.0

    def attempt(self, holder: Holder, stays_s: float = 0.0) -> Permit | Refused:
        """One try, without waiting for anybody else's release. `stays_s`: for how long this process will wait
        if it is full, and can be woken in its turn (listener.py). Raises BadThrottleServer."""
        now_ms = _now_ms()
        if now_ms - self._tried_ms > MOST_STAYS_S * 1000 or not self._since_ms:
            self._since_ms = now_ms
        self._tried_ms, self._stays_ms = now_ms, min(stays_s, MOST_STAYS_S) * 1000
        outcome = attempt_all(self.servers, [(self, holder)])[0]
        self._stays_ms = 0.0
        if isinstance(outcome, Permit):
            self._since_ms = 0.0
        return outcome

    def release(self, permit: Permit) -> None:
        """Give it back. Never raises for a server that is away: there the seat is free at its time."""
        release_all(self.servers, [permit])

    def refusal(self, refused: Refused) -> GangerError:
        """The error to raise for a refusal."""
        why = self.servers.problems()
        if refused.why == "quorum":
            return QuorumLost(
                f"Too few servers for semaphores answer to grant {self.name}: {self.terms.quorum} of"
                f" {self.terms.servers} are needed ({why}).",
                retry_in_s=_AGAIN_S,
            )
        if refused.why == "young":
            return NoPermit(
                f"No permit of {self.name}: servers for semaphores have started, or were emptied, a short"
                f" while ago. They may have forgotten holders, so they grant nothing new for"
                f" {refused.wait_ms / 1000:.1f} s.",
                retry_in_s=max(_AGAIN_S, refused.wait_ms / 1000),
            )
        if refused.why == "other":
            return LimitMismatch(
                f"{self.name} is in use with a limit of {refused.limit}, so nothing is granted with a limit"
                f" of {self.terms.limit}: up to {MOST_SEATS} permits are counted in another way than above."
                " All who use a name must give it one limit."
            )
        return NoPermit(
            f"No permit of {self.name} is free: {self.terms.limit} may hold one at a time.",
            retry_in_s=_AGAIN_S,
        )

    def inspect(self) -> list[Seat]:
        """Who holds what, longest first: what a quorum of those that answer agrees on; of one that holds by a
        bare majority, while a server is away, fewer votes show. Raises QuorumLost."""
        answers = self._ask_all(script("permit_inspect").command(0, self.keys.all[1:]))
        if len(answers) < self.terms.quorum:
            raise self.refusal(Refused("quorum"))
        return seats_of(answers)

    def force_release(self, token: str, *, at_once: bool = False) -> bool:
        """Take a permit away from its holder; whether there was one. Its holder can't renew it any more,
        and its seat is free when its time is over, so that the limit still holds. `at_once`: the seat is
        free now, which is right only for a holder that is known to be dead. Raises QuorumLost."""
        seats = [seat for seat in self.inspect() if seat.token == token]
        if not seats:
            return False
        args = (self.terms.ttl_ms, token, seats[0].seat, int(at_once))
        command = script("permit_revoke").command(0, self.keys.all[1:], args)
        if len(self._ask_all(command)) < self.terms.quorum:
            raise self.refusal(Refused("quorum"))
        return True

    # ---- inside ------------------------------------------------------------------------------------

    def _ask_all(self, command: Command) -> list[Any]:
        """The replies of those that answer. A connection that breaks is made anew, once."""
        replies: list[Any] = []

        def call(server: int, *, again: bool) -> Call:
            def hear(reply: Any) -> tuple[Call, ...]:
                if reply is None:
                    return () if again else (call(server, again=True),)
                replies.append(reply)
                return ()

            return self.servers.call(server, lambda _life: command, hear)

        self.servers.converse([call(server, again=False) for server in range(self.servers.count)])
        return replies

    def _begin(self, holder: Holder) -> tuple[Attempt, list[Call]]:
        token = secrets.token_hex(8)
        if self.terms.cap:
            # In rotation, so that all are filled evenly.
            self._turn += 1
            attempt = Attempt(self.terms, token, self.servers.order(self._turn))
        else:
            attempt = Attempt(self.terms, token, self.servers.order(self._turn), self._seats())
        return attempt, self._calls(attempt, attempt.begin(_now_ms()), holder)

    def _end(self, attempt: Attempt, holder: Holder) -> Permit | Refused:
        outcome = attempt.outcome
        if isinstance(outcome, Holding):
            self._last_seat = outcome.seat
            permit = Permit(self, outcome, holder)
            permit.other_limit = attempt.last_limit if attempt.last_limit != self.terms.limit else 0
            return permit
        return outcome or Refused("quorum")

    def _seats(self) -> list[str]:
        """The one it had last comes first: nobody else begins there, as often as not."""
        seats = list(seats_in_turn(self.terms, self._rng))
        if self._last_seat in seats:
            seats.remove(self._last_seat)
            seats.insert(0, self._last_seat)
        return seats

    def _turn_of(self, machine: Attempt | Holding, ask: Ask) -> tuple[str, int, int]:
        """Who asks, for how long it has waited, and for how long it will: to the server that picks a seat."""
        if isinstance(machine, Holding) or not machine.is_picking:
            return "", 0, 0
        return self.servers.asker, int(ask.at_ms - self._since_ms), int(self._stays_ms)

    def _calls(self, machine: Attempt | Holding, asks: Sequence[Ask], holder: Holder) -> list[Call]:
        return [self._call(machine, ask, holder) for ask in asks]

    def _call(self, machine: Attempt | Holding, ask: Ask, holder: Holder, *, again: bool = False) -> Call:
        def build(life: Life) -> Command:
            if ask.verb == "release":
                seats = (self.keys.taken, self.keys.holders, *self.keys.turns)
                kept_ms = KEPT_MS if isinstance(machine, Holding) else 0  # one of a try that failed
                return script("permit_release").command(0, seats, (ask.token, ask.seats[0], kept_ms))
            who = msgspec.json.encode(holder)
            args = (life.run, life.up_ms, self.terms.ttl_ms, ask.token, who, ask.cap, self.terms.limit)
            keys = (*self.keys.all, self.keys.terms)
            if ask.verb == "renew":
                held_ms = int(_now_ms() - machine.since_ms) if isinstance(machine, Holding) else 0
                return script("permit_renew").command(0, keys, (*args, held_ms, ask.seats[0]))
            turn = self._turn_of(machine, ask)
            return script("permit_acquire").command(0, (*keys, *self.keys.turns), (*args, *turn, *ask.seats))

        def hear(reply: Any) -> list[Call]:
            if reply is None and ask.verb == "release" and not again:
                # A seat that is held for nobody would be in the way for TTL: once more, over a new link.
                return [self._call(machine, ask, holder, again=True)]
            return self._calls(machine, machine.hear(ask, _answer(reply), _now_ms()), holder)

        return self.servers.call(ask.server, build, hear)


def attempt_all(servers: Servers, wishes: Sequence[tuple[Semaphore, Holder]]) -> list[Permit | Refused]:
    """One try for each in one conversation, without waiting for anybody's release. Two of one semaphore may
    meet in each other's way. All on these servers. Raises BadThrottleServer."""
    begun = [semaphore._begin(holder) for semaphore, holder in wishes]
    open_ones = [attempt for attempt, _ in begun]

    def done() -> bool:
        return all(attempt.outcome is not None for attempt in open_ones)

    servers.converse([call for _, calls in begun for call in calls], done)
    return [
        semaphore._end(attempt, holder)
        for (semaphore, holder), (attempt, _) in zip(wishes, begun, strict=True)
    ]


def release_all(servers: Servers, permits: Iterable[Permit]) -> None:
    """Give them back in one conversation. A server that is away frees them at their time."""
    calls: list[Call] = []
    for permit in permits:
        if permit.pid == os.getpid():
            asks = permit.holding.release(_now_ms())
            calls += permit.semaphore._calls(permit.holding, asks, permit.holder)
    servers.converse(calls)


def renew(servers: Servers, permits: Iterable[Permit]) -> list[Permit]:
    """Renew them all in one conversation; those that are lost. Permits of any semaphores on these servers."""
    kept = list(permits)
    calls: list[Call] = []
    for permit in kept:
        calls += permit.semaphore._calls(permit.holding, permit.holding.renew(_now_ms()), permit.holder)
    servers.converse(calls)
    return [permit for permit in kept if not permit.valid]


def _answer(reply: Any) -> Answer:
    if reply is None:
        return Answer("silent")
    word = reply[0].decode()
    if word == "granted":
        return Answer(word, seat=reply[1].decode(), limit=int(reply[2]))
    if word == "other":
        return Answer(word, limit=int(reply[1]))
    if word in ("full", "young"):
        taken = frozenset(seat.decode() for seat in reply[2:])
        return Answer(word, wait_ms=float(reply[1]), taken=taken)
    return Answer(word)


def _now_ms() -> float:
    return boottime_s() * 1000

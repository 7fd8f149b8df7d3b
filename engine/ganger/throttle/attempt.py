"""One try for a permit: whom to ask for which seat, in what order, and when to give up. The protocol, and
why its limit holds, is in quorum.py. Pure: no I/O, no clock.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ganger.throttle.quorum import Answer, Ask, Holding, Refused, Terms

_TRIES = 3


class Attempt:
    """One try for a permit: ask what `begin` says, pass each answer to `hear` and ask what that says, until
    `outcome` is there. Answers that come later may still be passed in.

    With numbered seats one server, the **gate**, is asked first and picks the seat, else the votes of many
    contenders split and little is granted; then all others at once. `order` says who is the gate, and who if
    that one does not answer. Under a cap the first Q of `order` are asked at once, then others in turn.

    A seat that finds no quorum is given back, and another tried, under another token: messages may overtake
    each other, and no release may ever undo a vote that counts. So one is sent only for a token, or for a
    seat of a token, that counts no more and never will.
    """

    def __init__(self, terms: Terms, token: str, order: Sequence[int], seats: Sequence[str] = ()) -> None:
        self.terms = terms
        self.outcome: Holding | Refused | None = None
        self.last_limit = terms.limit
        """What the semaphore was last used with, by a server that granted."""
        self._token = token
        self._seats = tuple(seats) or (token,)
        self._order = tuple(order)
        self._next = iter(self._order)
        self._part = 0
        self._clear()
        self._silent: set[int] = set()
        self._young: dict[int, float] = {}

    def _clear(self) -> None:
        self._seat = ""
        self._votes: dict[int, float] = {}
        self._asked: set[int] = set()
        self._no: set[int] = set()
        self._taken: set[str] = set()
        self._full_ms = 0.0

    @property
    def is_picking(self) -> bool:
        """Whether no server has picked a seat yet: who is asked now says who may have one."""
        return bool(self.terms.cap) or not self._seat

    def begin(self, now_ms: float) -> list[Ask]:
        """The first messages."""
        if not self.terms.cap:
            return self._ask_next(now_ms)
        asks = []
        for _ in range(self.terms.quorum):
            asks += self._ask_next(now_ms)
        return asks

    def hear(self, ask: Ask, answer: Answer, now_ms: float) -> list[Ask]:
        """Take in the answer to one of its asks; what to ask then."""
        if ask.verb == "release":
            return []
        if isinstance(self.outcome, Holding) and ask.token == self.outcome.token:
            return self.outcome.hear(ask, answer, now_ms)
        if ask.part != self._part or self.outcome is not None:
            if answer.word == "granted":
                return [replace(ask, verb="release", seats=(answer.seat,), at_ms=now_ms)]
            return []
        if answer.word == "granted":
            return self._granted(ask, answer, now_ms)
        return self._refused(ask, answer, now_ms)

    def _granted(self, ask: Ask, answer: Answer, now_ms: float) -> list[Ask]:
        if self._seat and answer.seat != self._seat:  # of a gate that was taken for silent
            other = self._ask(ask.server, "release", (answer.seat,), now_ms)
            return [other, self._ask(ask.server, "acquire", (self._seat,), now_ms)]
        asks = []
        self.last_limit = answer.limit or self.last_limit
        self._silent.discard(ask.server)
        self._votes[ask.server] = ask.at_ms + self.terms.vote_ms
        if not self._seat:
            self._seat = answer.seat
            if not self.terms.cap:
                others = [s for s in self._order if s not in self._asked and s not in self._silent]
                asks = [self._ask(server, "acquire", (self._seat,), now_ms) for server in others]
        if len(self._votes) >= self.terms.quorum:
            holding = Holding(self.terms, ask.token, self._seat, self._votes, now_ms)
            holding._asked |= self._asked
            # Servers may have answered late: votes that no longer count make no permit.
            self.outcome = holding if holding.is_valid(now_ms) else Refused("quorum")
            if not holding.is_valid(now_ms):
                asks = holding.release(now_ms)
        elif not asks:
            return self._undecided(now_ms)
        return asks

    def _refused(self, ask: Ask, answer: Answer, now_ms: float) -> list[Ask]:
        server = ask.server
        self._no.add(server)
        if answer.word == "silent":
            self._silent.add(server)
        elif answer.word == "young":
            self._young[server] = answer.wait_ms
        elif answer.word == "other":
            return self._give_up(now_ms, "other", answer.limit)
        elif answer.word == "full":
            self._taken |= answer.taken
            self._full_ms = answer.wait_ms
            if not self._seat and not self.terms.cap:
                return self._give_up(now_ms, "full")
        if self.terms.cap or not self._seat:
            asks = self._ask_next(now_ms)
            if asks:
                return asks
        return self._undecided(now_ms)

    def _undecided(self, now_ms: float) -> list[Ask]:
        """Go on waiting while a quorum can still come of those asked; else another seat, or the end."""
        waiting = self._asked - self._no - self._votes.keys()
        if len(self._votes) + len(waiting) >= self.terms.quorum:
            return []
        unsound = len(self._silent | self._young.keys())
        if self.terms.servers - unsound < self.terms.quorum:
            why = "quorum" if self.terms.servers - len(self._silent) < self.terms.quorum else "young"
            return self._give_up(now_ms, why)
        others = [s for s in self._seats if s != self._seat and s not in self._taken]
        if self.terms.cap or not others or self._part >= _TRIES:
            return self._give_up(now_ms, "full")
        asks = self._releases(now_ms)
        self._clear()
        self._part += 1
        self._seats = tuple(others)
        unsound_ones = self._silent | self._young.keys()
        self._next = iter([s for s in self._order if s not in unsound_ones])
        return asks + self._ask_next(now_ms)

    def _give_up(self, now_ms: float, why: str, limit: int = 0) -> list[Ask]:
        waits = {"full": self._full_ms, "young": max(self._young.values(), default=0.0)}
        self.outcome = Refused(why, waits.get(why, 0.0), limit)
        return self._releases(now_ms)

    def _releases(self, now_ms: float) -> list[Ask]:
        """To all that may have granted a seat in this part, the silent ones too."""
        maybe = [s for s in sorted(self._asked) if s not in self._no or s in self._silent]
        return [self._ask(server, "release", (self._seat,), now_ms) for server in maybe]

    def _ask_next(self, now_ms: float) -> list[Ask]:
        for server in self._next:
            if server not in self._silent:
                return [self._ask(server, "acquire", self._seats, now_ms)]
        return []

    def _ask(self, server: int, verb: str, seats: tuple[str, ...], now_ms: float) -> Ask:
        if verb == "acquire":
            self._asked.add(server)
        token = self._token if not self._part else f"{self._token}{self._part}"
        return Ask(server, verb, token, seats, self.terms.cap, now_ms, self._part)


def seats_in_turn(terms: Terms, rng: random.Random) -> Iterator[str]:
    """The numbered seats, from a place drawn at random on, so that contenders begin at different ones."""
    first = rng.randrange(terms.limit)
    for place in range(terms.limit):
        yield str((first + place) % terms.limit)

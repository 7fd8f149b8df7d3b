"""The protocol of a permit as a state machine over messages: what to ask whom, and what the answers prove.

A permit is a seat, and a **vote** for it of a majority of the servers (Q of N). Up to 64 a limit L is L seats
("0" to "L-1"), each of which one holder at a time can have. Above, each server lets at most
floor((Q(L+1)-1)/N) tokens in, and a permit needs the votes of exactly Q servers.

Why never more than L hold a permit at once. Say that a vote of a server *counts* from the moment the server
gave it until TTL minus drift after its message was made, on its holder's own clock; a permit is valid while
Q votes count. It is enough that on one server, whatever becomes of it, votes that count never exclude the
limit:

- within one life of the server its records do: one token a seat, or at most the cap; a record stays for TTL
  from the moment it is made, which is later than when its message was, and clocks differ by less than drift;
- a life that may have forgotten votes of an earlier one grants nothing new until it is TTL old, when none of
  them counts any more. It does accept *renewals*, and those only of holders whose vote of this very server
  still counts when its answer is in: which are those that it would remember, had it not forgotten.

Then two permits with one seat would have a server in common that voted for both; and with M holders M*Q votes
are spread over N servers of at most the cap each, so M <= floor(N*cap/Q) <= L. A validity that has once ended
is never taken up again, whatever votes come later.

Assumed: no clock of a server jumps forward by more than drift (TTL / 100 + 2 ms) within TTL. Pure: no I/O,
no clock. attempt.py says how a permit is come by; semaphore.py runs this over sockets,
tests/support/permit_world.py in virtual time.
"""

from dataclasses import dataclass

MOST_SEATS = 64
TTL_MS = 10_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What all who use a semaphore must agree on. `ttl_ms` is the same for every permit on a server."""

    servers: int
    limit: int
    ttl_ms: int = TTL_MS

    @property
    def quorum(self) -> int:
        """How many votes make a permit."""
        return self.servers // 2 + 1

    @property
    def vote_ms(self) -> float:
        """How long a vote counts, from when its message was made."""
        return self.ttl_ms - self.ttl_ms / 100 - 2

    @property
    def cap(self) -> int:
        """What one server lets in at most; 0 where seats are numbered."""
        if self.limit <= MOST_SEATS:
            return 0
        return (self.quorum * (self.limit + 1) - 1) // self.servers

    @property
    def capacity(self) -> int:
        """How many can hold a permit at once with all servers up."""
        return self.limit if self.cap == 0 else self.servers * self.cap // self.quorum


@dataclass(frozen=True, slots=True)
class Ask:
    """A message to a server. `at_ms` is when it was made, by its maker's clock."""

    server: int
    verb: str
    """acquire, renew or release."""
    token: str
    seats: tuple[str, ...]
    """acquire: any one of them, the first free one. Else the one; "" to release what there may be."""
    cap: int
    at_ms: float
    part: int = 0
    """Tells the rounds of one attempt apart."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said; `silent` stands for no answer in time."""

    word: str
    """granted, full, young, other; renewed, lost; revoked; silent."""
    seat: str = ""
    wait_ms: float = 0.0
    taken: frozenset[str] = frozenset()
    limit: int = 0
    """granted, other: what the semaphore was last used with."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an attempt failed: full, young (servers that started a short while ago), quorum (too few answer),
    or other (it is in use with a limit whose permits are counted in another way)."""

    why: str
    wait_ms: float = 0.0
    """When it may be worth while to try again; 0: soon."""
    limit: int = 0
    """The other limit."""
    name: str = ""
    """Which of several semaphores it was, where more than one was asked for."""


class Holding:
    """A permit: its seat and its votes, from the answer that made it valid to its end."""

    def __init__(self, terms: Terms, token: str, seat: str, votes: dict[int, float], since_ms: float) -> None:
        self.terms = terms
        self.token = token
        self.seat = seat
        self.since_ms = since_ms
        self.lost = False
        self.revoked = False
        self._votes = votes
        self._asked = set(votes)

    def votes(self) -> dict[int, float]:
        """Server -> until when its vote counts: who makes the holding anew needs no more."""
        return dict(self._votes)

    def valid_until_ms(self) -> float:
        """When the quorum's last vote ends to count."""
        ends = sorted(self._votes.values(), reverse=True)
        return ends[self.terms.quorum - 1] if len(ends) >= self.terms.quorum else 0.0

    def is_valid(self, now_ms: float) -> bool:
        """Does the permit hold? Once it does not, it never does again."""
        self.lost = self.lost or now_ms >= self.valid_until_ms()
        return not self.lost

    def renew(self, now_ms: float) -> list[Ask]:
        """What to ask to lengthen it; nothing when it is lost."""
        if not self.is_valid(now_ms):
            return []
        counted = [server for server, end in self._votes.items() if end > now_ms]
        asks = [self._ask(server, "renew", now_ms) for server in counted]
        others = [server for server in range(self.terms.servers) if server not in counted]
        if self.terms.cap:
            others = others[: max(0, self.terms.quorum - len(counted))]
        return asks + [self._ask(server, "acquire", now_ms) for server in others]

    def hear(self, ask: Ask, answer: Answer, now_ms: float) -> list[Ask]:
        """Take in an answer to one of renew()'s asks, or a late one to the attempt's."""
        alive = self.is_valid(now_ms)
        server = ask.server
        if answer.word in ("granted", "renewed"):
            if not alive or answer.seat not in ("", self.seat):
                return [self._ask(server, "release", now_ms, answer.seat or self.seat)]
            if ask.verb == "renew" and self._votes.get(server, 0.0) <= now_ms:
                return []  # not to be released either: an acquire that followed may be on its way
            end = ask.at_ms + self.terms.vote_ms
            self._votes[server] = max(end, self._votes.get(server, 0.0))
        elif answer.word == "revoked":
            self.lost = self.revoked = True
        elif answer.word == "lost":
            self._votes.pop(server, None)
        if alive and answer.word in ("lost", "silent") and ask.verb == "renew" and self.terms.cap:
            return self._elsewhere(now_ms)
        return []

    def release(self, now_ms: float) -> list[Ask]:
        """What to say at the end, to all who may have a record of it."""
        self.lost = True
        return [self._ask(server, "release", now_ms) for server in sorted(self._asked)]

    def _elsewhere(self, now_ms: float) -> list[Ask]:
        """Under a cap: a server to take the place of one that is lost or silent, while one was never
        asked."""
        fresh = [server for server in range(self.terms.servers) if server not in self._asked]
        return [self._ask(server, "acquire", now_ms) for server in fresh[:1]]

    def _ask(self, server: int, verb: str, now_ms: float, seat: str | None = None) -> Ask:
        self._asked.add(server)
        return Ask(server, verb, self.token, (seat or self.seat,), self.terms.cap, now_ms)

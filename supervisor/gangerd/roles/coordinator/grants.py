"""Gets, renews and gives back what a pass is made of: a permit of each limit of a queue, and tokens of their
rates (tokens.py). warden.py decides when; this asks the servers for semaphores, and waits for no permit.

Crash points. Between two permits of a pass, or before it is laid out: what was granted is nobody's until its
TTL (10 s) ends. Between a release and the row's being freed: a successor releases again, which does nothing.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ganger.limiting import semaphore_name
from ganger.throttle.holders import Holder
from ganger.throttle.listener import Listener
from ganger.throttle.quorum import TTL_MS, Holding, Refused, Terms
from ganger.throttle.semaphore import MOST_STAYS_S, Permit, Semaphore, renew
from ganger.throttle.servers import Servers
from gangerd.config import Limit
from gangerd.passes import MAX_PERMITS, MAX_SERVERS, UNBOUND, Stub
from gangerd.roles.coordinator.tokens import Rates, Tokens

MARGIN_MS = 50
"""A pass is not claimed with so close to its end."""
_MOST_SEMAPHORES = 4096
Rules = Mapping[str, Limit]
"""The limits of one queue, by name."""


@dataclass(slots=True)
class Grant:
    """What a pass is made of: the permits, by limit, and tokens where a limit has a rate."""

    permits: dict[str, Permit] = field(default_factory=dict)
    tokens: Tokens | None = None

    def valid_ns(self) -> int:
        """Until when jobs may be claimed and begun by it; 0 for one that is lost."""
        if self.tokens is None:
            return self.held_ns()
        return min(self.tokens.until_ns, self.held_ns()) if self.permits else self.tokens.until_ns

    def held_ns(self) -> int:
        """Until when its permits hold; 0 for lost ones."""
        ends = [
            permit.holding.valid_until_ms() - MARGIN_MS if permit.valid else 0.0
            for permit in self.permits.values()
        ]
        return int(max(0.0, min(ends, default=0.0)) * 1e6)

    def uses(self) -> int:
        """How many jobs may be claimed by it."""
        return UNBOUND if self.tokens is None else self.tokens.uses

    def is_lost(self) -> bool:
        """Whether others may hold a permit of it by now."""
        return not all(permit.valid for permit in self.permits.values())

    def meets(self, rules: Rules) -> bool:
        """Whether it is what one would have to ask for now: a permit of each limit, of none that is tighter
        since, and tokens of each rate."""
        return (self.tokens or Tokens(0, 0)).meet(rules) and all(
            name in self.permits and self.permits[name].holding.terms.limit <= limit
            for name, limit in _in_order(rules)
        )

    def stubs(self) -> list[Stub]:
        """As the table shows it."""
        return [_stub(name, permit) for name, permit in self.permits.items()]


class Grants:
    """`host` is what the servers say of who holds a permit."""

    def __init__(self, servers: Servers, namespace: str, host: str, *, ttl_ms: int = TTL_MS) -> None:
        self.servers = servers
        self.ttl_ms = ttl_ms
        self._namespace = namespace
        self._host = host
        self._semaphores: dict[tuple[str, int], Semaphore] = {}
        self._rates = Rates(servers, namespace)
        self._listener = Listener(servers)
        self._turns: deque[bytes] = deque()
        self.is_heard = False
        """After a refusal: this host is sure to be woken when it is its turn."""
        self.on_turn: Callable[[], None] = lambda: None
        """Called, from another thread, when `turns` has something to say."""

    def ask(self, rules: Rules) -> Grant | Refused:
        """One try for everything that a job of the queue needs, tokens last: a full limit wastes none. A
        refusal leaves nothing taken."""
        dry = self._rates.dry(rules)
        if dry is not None:
            return dry
        grant = Grant()
        for name, limit in _in_order(rules):
            outcome = self._semaphore(name, limit).attempt(self.holder(), MOST_STAYS_S)
            if isinstance(outcome, Refused):
                self.release(grant)
                self.is_heard = outcome.why == "full" and self._await_turn(name, limit)
                return replace(outcome, name=name)
            grant.permits[name] = outcome
        tokens = self._rates.take(rules)
        if isinstance(tokens, Refused):
            self.release(grant)
            return tokens
        grant.tokens = tokens
        return grant

    def release(self, grant: Grant, uses: int = 0) -> None:
        """Give its permits back, and so many of its tokens that were not used."""
        for permit in grant.permits.values():
            permit.semaphore.release(permit)
        if grant.tokens is not None:
            self._rates.refund(grant.tokens, min(uses, grant.tokens.uses))

    def renew(self, grants: Iterable[Grant]) -> None:
        """All permits in one conversation."""
        renew(self.servers, [permit for grant in grants for permit in grant.permits.values()])

    def adopt(self, stubs: Sequence[Stub], rules: Rules) -> Grant:
        """What a predecessor got and laid out; permits of limits that are not known any more end by
        themselves."""
        names = {_digest(name): name for name in rules}
        grant = Grant()
        for stub in stubs:
            name = names.get(stub.limit)
            if name is None or stub.most < 1:
                continue
            semaphore = self._semaphore(name, stub.most)
            permit = Permit(semaphore, _holding(semaphore.terms, stub), self.holder())
            grant.permits[name] = permit
        return grant

    def holder(self, worker: int = 0, jid: str = "") -> Holder:
        """Who a permit is for: the host until a worker took the pass."""
        return Holder(self._host, f"{worker:016x}" if worker else "offered to its workers", jid)

    def turns(self) -> list[str]:
        """The limits of which a permit has become free, and is kept for this host a moment."""
        woken = {self._turns.popleft() for _ in range(len(self._turns))}
        if not woken:
            return []
        return [name for (name, _), known in self._semaphores.items() if known.keys.waiting in woken]

    def _await_turn(self, name: str, limit: int) -> bool:
        return self._listener.listen(self._semaphore(name, limit).keys.waiting, self._turn)

    def _turn(self, channel: bytes) -> None:
        self._turns.append(channel)
        self.on_turn()

    def _semaphore(self, name: str, limit: int) -> Semaphore:
        known = self._semaphores.get((name, limit))
        if known is None:
            if len(self._semaphores) >= _MOST_SEMAPHORES:  # one for each key that has been seen
                del self._semaphores[next(iter(self._semaphores))]
            known = Semaphore(self.servers, self._namespace, semaphore_name(name), limit, ttl_ms=self.ttl_ms)
            self._semaphores[name, limit] = known
        return known


def _in_order(rules: Rules) -> list[tuple[str, int]]:
    """The tightest ones, in an order that all hosts have: so nobody waits crosswise."""
    found = [(name, rule.concurrency) for name, rule in rules.items() if rule.concurrency]
    return sorted(sorted(found, key=lambda one: one[1])[:MAX_PERMITS])


def _digest(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def _stub(name: str, permit: Permit) -> Stub:
    holding = permit.holding
    token, part = holding.token[:16], holding.token[16:]
    votes = [0] * MAX_SERVERS
    for server, until_ms in holding.votes().items():
        votes[server] = max(0, int(until_ms))
    return Stub(
        _digest(name),
        int(token, 16),
        int(part or 0),
        -1 if holding.terms.cap else int(holding.seat),
        holding.terms.limit,
        int(holding.since_ms),
        tuple(votes),
    )


def _holding(terms: Terms, stub: Stub) -> Holding:
    token = f"{stub.token:016x}"
    seat = token if stub.seat < 0 else str(stub.seat)
    votes = {server: float(end) for server, end in enumerate(stub.votes_ms[: terms.servers]) if end}
    return Holding(terms, f"{token}{stub.part or ''}", seat, votes, float(stub.since_ms))

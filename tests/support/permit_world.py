"""A world in virtual time for the protocol of ganger.throttle.quorum: servers that do what the scripts do,
clients that run the very state machines of the engine, and a network and clocks that are as bad as they may
be.

Messages are delayed, lost and overtaken by others, for up to longer than a TTL; servers restart, with all,
a part, or nothing of what they knew; clients are cut off from some servers, freeze, and have clocks of
their own that run at rates of their own. `World.most` is the largest number of clients that held a valid
permit at one instant, by their own clocks. One seed, one history.
"""

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ganger.throttle.attempt import Attempt, seats_in_turn
from ganger.throttle.quorum import Answer, Ask, Holding, Terms

DRIFT = 0.003
"""How much a clock may be too fast or too slow: what the engine allows for holds two such clocks."""


@dataclass
class ModelServer:
    """A server that knows seats as the scripts permit_*.lua do; a test compares the two."""

    ttl_ms: float
    rate: float = 1.0
    taken: dict[str, tuple[str, float]] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    since_ms: float | None = None
    """None: emptied, and not asked since."""
    trusting: bool = False
    """A server that is made wrongly: it grants as soon as it is up."""

    def hear(self, ask: Ask, at_ms: float) -> Answer:
        now = at_ms * self.rate
        if self.since_ms is None:
            self.since_ms = now
        self.taken = {seat: record for seat, record in self.taken.items() if record[1] > now}
        if ask.verb == "release":
            gone = [
                s for s, (token, _) in self.taken.items() if token == ask.token and ask.seats[0] in ("", s)
            ]
            for seat in gone:
                del self.taken[seat]
            return Answer("released" if gone else "gone")
        if ask.token in self.revoked:
            return Answer("revoked")
        return self._acquire(ask, now) if ask.verb == "acquire" else self._renew(ask, now)

    def _acquire(self, ask: Ask, now: float) -> Answer:
        assert self.since_ms is not None
        for seat in ask.seats:
            if seat in self.taken and self.taken[seat][0] == ask.token:
                self.taken[seat] = (ask.token, now + self.ttl_ms)
                return Answer("granted", seat)
        if now < self.since_ms + self.ttl_ms and not self.trusting:
            return Answer("young", wait_ms=self.since_ms + self.ttl_ms - now)
        if not ask.cap or len(self.taken) < ask.cap:
            for seat in ask.seats:
                if seat not in self.taken:
                    self.taken[seat] = (ask.token, now + self.ttl_ms)
                    return Answer("granted", seat)
        wait_ms = min((until for _, until in self.taken.values()), default=now) - now
        return Answer("full", wait_ms=wait_ms, taken=frozenset() if ask.cap else frozenset(self.taken))

    def _renew(self, ask: Ask, now: float) -> Answer:
        (seat,) = ask.seats
        if seat in self.taken and self.taken[seat][0] != ask.token:
            return Answer("lost")
        if seat not in self.taken and ask.cap and len(self.taken) >= ask.cap:
            return Answer("lost")
        self.taken[seat] = (ask.token, now + self.ttl_ms)
        return Answer("renewed")

    def restart(self, at_ms: float, kept: set[str] | None) -> None:
        """With these seats remembered and the marker of its earlier life; None: empty, without one."""
        self.since_ms = None if kept is None else at_ms * self.rate
        self.taken = {seat: record for seat, record in self.taken.items() if kept and seat in kept}


class Client:
    """Acquires, holds, renews, releases, over and over."""

    def __init__(self, world: "World") -> None:
        rng = world.rng
        self.world = world
        self.rate = 1 + rng.uniform(-DRIFT, DRIFT)
        self.offset = rng.uniform(0, 1e6)
        self.frozen_until = 0.0
        self.cut: set[int] = set()
        self.machine: Attempt | Holding | None = None

    def now(self) -> float:
        return self.offset + self.world.now * self.rate

    def valid(self) -> bool:
        return isinstance(self.machine, Holding) and self.machine.is_valid(self.now())

    def begin(self) -> None:
        world = self.world
        token = f"{world.rng.getrandbits(64):016x}"
        order = list(range(world.terms.servers))
        if world.terms.cap:
            world.rng.shuffle(order)
            attempt = Attempt(world.terms, token, order)
        else:
            attempt = Attempt(world.terms, token, order, list(seats_in_turn(world.terms, world.rng)))
        self.machine = attempt
        self.send(attempt, attempt.begin(self.now()))

    def send(self, machine: Attempt | Holding, asks: Sequence[Ask]) -> None:
        for ask in asks:
            self.world.carry(self, machine, ask)

    def hear(self, machine: Attempt | Holding, ask: Ask, answer: Answer) -> None:
        self.send(machine, machine.hear(ask, answer, self.now()))
        if machine is not self.machine or not isinstance(machine, Attempt) or machine.outcome is None:
            self.world.judge()
            return
        world = self.world
        if isinstance(machine.outcome, Holding):
            holding = self.machine = machine.outcome
            world.granted += 1
            world.judge()
            ends_in = world.rng.choice((0.1, 1.0, 5.0)) * world.terms.ttl_ms * world.rng.random()
            world.later(ends_in, lambda: self.end(holding), self)
            world.later(world.terms.ttl_ms / 3, lambda: self.renew(holding), self)
        else:
            self.machine = None
            world.later(world.terms.ttl_ms * world.rng.random() / 5, self.begin, self)

    def renew(self, holding: Holding) -> None:
        if holding is self.machine:
            self.send(holding, holding.renew(self.now()))
            self.world.later(self.world.terms.ttl_ms / 3, lambda: self.renew(holding), self)

    def end(self, holding: Holding) -> None:
        if self.world.rng.random() < 0.8:  # else it dies with its permit
            self.send(holding, holding.release(self.now()))
        self.machine = None
        self.world.later(self.world.terms.ttl_ms * self.world.rng.random() / 2, self.begin, self)


class World:
    """See above. `calm`: nothing goes wrong. `trusting`: servers grant as soon as they are up."""

    def __init__(
        self, seed: int, terms: Terms, clients: int, *, calm: bool = False, trusting: bool = False
    ) -> None:
        self.rng = random.Random(seed)
        self.terms = terms
        self.calm = calm
        self.now = 0.0
        self.most = self.granted = 0
        self._events: list[tuple[float, int, Callable[[], None], Client | None]] = []
        self._count = 0
        self.servers = [
            ModelServer(terms.ttl_ms, 1 + self.rng.uniform(-DRIFT, DRIFT), since_ms=-1e9, trusting=trusting)
            for _ in range(terms.servers)
        ]
        self.clients = [Client(self) for _ in range(clients)]
        for client in self.clients:
            self.later(self.rng.random() * terms.ttl_ms / 2, client.begin, client)
        self.later(self.rng.random() * terms.ttl_ms, self.mishap)

    def later(self, delay_ms: float, act: Callable[[], None], client: Client | None = None) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + delay_ms, self._count, act, client))

    def run(self, until_ms: float) -> "World":
        """Until this instant; then it may be run on."""
        while self._events and self._events[0][0] <= until_ms:
            self.now, count, act, whose = heapq.heappop(self._events)
            if whose is not None and whose.frozen_until > self.now:
                heapq.heappush(self._events, (whose.frozen_until, count, act, whose))
                continue
            act()
        return self

    def heal(self) -> None:
        """From now on nothing goes wrong."""
        self.calm = True
        for client in self.clients:
            client.cut = set()

    def carry(self, client: Client, machine: Attempt | Holding, ask: Ask) -> None:
        """There, and the answer back; or silence, when that takes too long for its sender."""

        def arrive() -> None:
            answer = self.servers[ask.server].hear(ask, self.now)
            if not self.lost(client, ask.server):
                self.later(self.delay(), lambda: client.hear(machine, ask, answer), client)

        if not self.lost(client, ask.server):
            self.later(self.delay(), arrive)
        if ask.verb != "release":
            patience_ms = self.terms.ttl_ms / 50
            self.later(patience_ms, lambda: client.hear(machine, ask, Answer("silent")), client)

    def delay(self) -> float:
        if self.calm or self.rng.random() < 0.9:
            return self.rng.random() * self.terms.ttl_ms / 200
        return self.rng.choice((0.02, 0.3, 1.5)) * self.rng.random() * self.terms.ttl_ms

    def lost(self, client: Client, server: int) -> bool:
        return not self.calm and (server in client.cut or self.rng.random() < 0.03)

    def mishap(self) -> None:
        rng = self.rng
        if self.calm:
            return
        match rng.randrange(4):
            case 0:
                server = rng.choice(self.servers)
                some = {seat for seat in server.taken if rng.random() < 0.5}
                server.restart(self.now, rng.choice((None, some, set(server.taken))))
            case 1:
                client = rng.choice(self.clients)
                client.frozen_until = self.now + rng.random() * 1.5 * self.terms.ttl_ms
            case 2:
                client = rng.choice(self.clients)
                client.cut = {server for server in range(self.terms.servers) if rng.random() < 0.4}
            case _:
                for each in self.clients:
                    each.cut = set()
        self.later(rng.random() * self.terms.ttl_ms / 2, self.mishap)

    def judge(self) -> None:
        self.most = max(self.most, sum(client.valid() for client in self.clients))

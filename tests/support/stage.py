"""Where a story is told while something befalls one of its commands, and what must hold when it is over.

A story is a function that does what callers and daemon do, each step by `act`. When a step's caller hears
an error, it is as good as dead: a fresh one does the step again, or what the daemon does instead. `sure`
looks at what is really there, past the proxy.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ganger.client import Client
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.config import EngineConfig
from ganger.errors import GangerError, NodeDown, OutcomeUnknown, QuorumLost
from ganger.job import BLANK, Entry
from ganger.keys import Partition
from ganger.lifecycle import alive
from ganger.operations import claim, failing, lanes, look, settle
from ganger.scripts import script
from support.fault_proxy import FaultProxy
from support.faults import Fault
from support.keyspace import HOST, MAIL, snapshot
from support.model import picture_of
from support.servers import ClusterServers
from support.sources import scripts
from support.throttles import ThrottleServers

T = TypeVar("T")
PATIENCE_S = 0.025
"""Of a caller that will hear nothing."""
TRIES = 6
COSTS = claim.pack_costs({f"shop.{name}": 1 for name in ("send", "complete", "success", "death")})


class Hasty(Cluster):
    """A transport whose calls never wait longer than its caller's patience."""

    patience_s = PATIENCE_S

    def run(self, command: Command, *, deadline_s: float = 10.0, replicas: int = 0) -> Any:
        return super().run(command, deadline_s=min(deadline_s, self.patience_s), replicas=replicas)

    def run_many(
        self, commands: Sequence[Command], *, deadline_s: float = 10.0, replicas: int = 0
    ) -> list[Any]:
        return super().run_many(commands, deadline_s=min(deadline_s, self.patience_s), replicas=replicas)


AT_THE_END = 99


@dataclass(frozen=True)
class Case:
    """What befalls which command of a story; `late`: how many steps more are done before what was held up
    arrives."""

    fault: Fault
    at: int
    late: int = 0

    def __str__(self) -> str:
        late = f", {self.late} steps late" if self.late else ""
        return f"{self.fault.name} at {self.at}{late}"


class Stage:
    """Callers go to Redis through the proxy; `cluster` goes past it."""

    def __init__(
        self,
        servers: ClusterServers,
        semaphores: ThrottleServers,
        cluster: Cluster,
        proxy: FaultProxy,
        case: Case | None,
    ) -> None:
        self.servers, self.semaphores, self.cluster, self.proxy = servers, semaphores, cluster, proxy
        self.case = case
        ports = [proxy.ports[node.port] for node in servers.nodes[: servers.primaries]]
        self.proxied = servers.settings(nodes=tuple(("127.0.0.1", port) for port in ports))
        self.throttles = [
            one.url.replace(f":{one.server.port}", f":{proxy.ports[one.server.port]}")
            for one in semaphores.all
        ]
        self.heard: list[GangerError] = []
        """What callers were told."""
        self.ran: Counter[str] = Counter()
        """jid -> how often a handler has begun on it."""
        self.came_late = False
        """Something that was held up has arrived."""
        self._caller: Hasty | None = None
        self._ops = self._steps_since = 0
        self._patience_s = PATIENCE_S
        proxy.watch()

    def begin(self) -> None:
        """From here on the proxy counts."""
        self.fresh()
        self.proxy.watch()
        if self.case is not None:
            self.proxy.arm(self.case.fault, self.case.at)

    def fresh(self) -> Hasty:
        """A caller that knows nothing, connected to every node."""
        if self._caller is not None:
            self._caller.close()
        self._caller = Hasty(self.proxied)
        self._caller.patience_s = 5.0
        for node in self._caller.nodes():
            self._caller.run_on(node, ("PING",))
        self._caller.patience_s = self._next_patience_s()
        return self._caller

    def _next_patience_s(self) -> float:
        """Short, when there will be silence to be met."""
        silent = self.case is not None and self.case.fault.silent and not self.befallen
        return self._patience_s if silent else 5.0

    @property
    def caller(self) -> Hasty:
        return self._caller or self.fresh()

    def close(self) -> None:
        for each in (self._caller, self.cluster):
            if each is not None:
                each.close()

    @property
    def befallen(self) -> bool:
        return bool(self.proxy.taken)

    def act(
        self,
        call: Callable[[Cluster], T],
        instead: Callable[[Cluster], T] | None = None,
        *,
        named: bool = False,
        lives: bool = False,
    ) -> T:
        """Do it. Whoever does it once more does `instead`. With `named`, an unknown outcome must name jids;
        with `lives` the caller itself goes on."""
        caller, do = self.caller, call
        for _ in range(TRIES):
            try:
                done = do(caller)
                break
            except QuorumLost:
                raise  # which is an answer
            except GangerError as error:
                self._judge(error, named)
                self._patience_s *= 2
                do = instead or call
                if lives:
                    caller.patience_s = self._next_patience_s()
                else:
                    caller = self.fresh()
        else:
            raise AssertionError(f"never done: {self.heard}")
        if self.befallen:
            self._steps_since += 1
            if self.case is not None and self._steps_since > self.case.late:
                self.deliver()
        return done

    def _judge(self, error: GangerError, named: bool) -> None:
        """A caller is told what is true: whoever heard nothing knows nothing, a cut is nobody's business."""
        self.heard.append(error)
        named = named and len(self.heard) == 1  # what comes after is about another call
        if self.case is None or not self.befallen:
            return
        assert self.case.fault.silent, f"a cut connection is to be repeated, not told: {error!r}"
        if isinstance(error, NodeDown) and isinstance(error.__cause__, OutcomeUnknown):
            return  # of a question before the push: nothing is in, which the story's end finds out
        assert isinstance(error, OutcomeUnknown), f"nobody knows what happened, and told is {error!r}"
        assert error.jids or not named, f"which jobs may be in? {error!r}"

    def client(self, cluster: Cluster, **settings: Any) -> Client:
        return Client(EngineConfig(self.proxied, **settings), cluster=cluster)

    def deliver(self) -> None:
        """What is still held up arrives now."""
        self.came_late = self.proxy.deliver() or self.came_late

    def load_scripts(self) -> None:
        """Every server knows every script: then a story sends as many commands each time."""
        semaphores = [one.server for one in self.semaphores.all]
        for server in (*self.servers.nodes[: self.servers.primaries], *semaphores):
            pipe = server.client.pipeline(transaction=False)
            for path in scripts():
                pipe.script_load(script(path.stem).source)
            pipe.execute()

    # ---- what many stories need --------------------------------------------------------------------------

    def take(self, place: Partition = MAIL, host: str = HOST, lane: str = "") -> list[Entry]:
        """A worker claims what is ready, or waits in this lane, and begins on it. One that hears nothing
        closes its claim, gives back what it brought, and claims again under another op."""
        self._ops += 2
        op, worker = self._ops, host

        def once(cluster: Cluster, op: int = op) -> list[Entry]:
            if lane:
                command = lanes.claim_command(place, host, worker, op, lane, 10**9, 1000, 1 << 20, COSTS)
            else:
                command = claim.command(place, host, worker, op, 10**9, 1000, 1 << 20, COSTS)
            return claim.parse(cluster.run(command), place).entries

        def again(cluster: Cluster) -> list[Entry]:
            refs = claim.close(cluster, place, host, worker, op)
            held = [Entry(place, stream, id, "", "", BLANK, b"") for stream, id in refs]
            failing.release(cluster, place, host, [(entry, None) for entry in held])
            return once(cluster, op + 1)

        entries = self.act(once, again)
        self.ran.update(entry.jid for entry in entries)
        return entries

    def settle(self, entries: Sequence[Entry], kind: Any = "succeeded") -> None:
        for entry in entries:
            self.act(
                lambda c, e=entry: settle.settle(c, e.partition, kind, {e.stream: [e.id]})  # type: ignore[misc]
            )

    def sure(
        self,
        expected: Mapping[str, str | Collection[str]],
        *,
        ran: int | Mapping[str, int] = 1,
        places: Sequence[Partition] = (MAIL,),
        owes: bool = False,
    ) -> None:
        """These partitions hold these jobs and no other, each where it must be; their counters say the same;
        nothing is left over of anybody. `ran`: how often each was begun on, at most."""
        self.deliver()
        found = snapshot(self.servers)
        there: dict[str, str] = {}
        for place in places:
            if place.meta in found:
                seen = picture_of(found, place)
                assert not there.keys() & seen.places.keys(), "a job in two partitions"
                there |= {jid: each.what for jid, each in seen.places.items()}
                held = {each.entry.id for each in seen.places.values() if each.entry is not None}
                marks = {name[2:] for name in found[place.memo] if name[:2] == b"x:"}
                assert marks <= held, "a cancel is noted for what nobody holds"
                assert owes or not seen.owed, f"still owed: {seen.owed}"
                self._count(place, Counter(each.what for each in seen.places.values()))
        for jid in expected.keys() | there.keys():
            may, where = expected.get(jid, "gone"), there.get(jid, "gone")
            allowed = (may,) if isinstance(may, str) else may
            assert where in allowed, f"{jid} must be {allowed}, and is {where}"
        for jid, times in self.ran.items():
            allowed_runs = ran if isinstance(ran, int) else ran.get(jid, 1)
            assert times <= allowed_runs, f"{jid} has run {times} times"

    def _count(self, place: Partition, there: Counter[str]) -> None:
        now = look.parse_look(self.cluster.run(look.look_command(place)), place)
        laned = there["laned"] + there["unsorted"]
        assert (now.ready, now.in_flight, now.laned) == (there["waiting"] + laned, there["held"], laned)
        assert (now.later, now.dead, now.parked) == (there["later"], there["dead"], there["parked"])
        lives = sum(there[what] for what in ("waiting", "held", "later", "parked")) + laned
        assert alive(now.counters) == lives, f"counters say {alive(now.counters)} live, there are {lives}"

    def counters(self, place: Partition = MAIL) -> dict[str, int]:
        now = look.parse_look(self.cluster.run(look.look_command(place)), place)
        return {name: value for name, value in now.counters.items() if value}

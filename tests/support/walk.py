"""A random walk over a partition beside a small model in memory: who must be where after each step."""

from dataclasses import dataclass, field
from random import Random

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.jid import mint
from ganger.job import Entry, State
from ganger.lifecycle import alive
from ganger.operations import claim, clear, dead, enqueue, failing, look, pause, recover, schedule, settle
from ganger.operations.enqueue import NewJob
from ganger.operations.lanes import UNSORTED
from ganger.retry import Bury, Discard, Retry
from support.keyspace import MAIL, WORKER, snapshot
from support.laned_walk import LanedWalk
from support.servers import ClusterServers

HOSTS = ("a" * 16, "b" * 16)
COSTS = claim.pack_costs({"cheap": 10, "dear": 900})


STEPS = (
    *("push", "push", "push_again", "delay", "claim", "claim", "claim", "settle", "settle", "retry", "bury"),
    *("discard", "release", "recover", "promote", "promote", "hasten", "dead_retry", "dead_delete", "late"),
    *("pause", "resume", "resume", "pause_type", "resume_type", "resume_type", "clear", "clear_later"),
    *("limit", "unlimit", "sort", "sort", "claim_lane", "claim_lane"),
)
TYPES = ("cheap", "dear", "unknown")


@dataclass
class Walk(LanedWalk):
    """The model: what was pushed, what is held by whom, what is dead, later, waiting, or over."""

    cluster: Cluster
    rng: Random
    waiting: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    over: set[str] = field(default_factory=set)
    held: dict[str, tuple[str, Entry]] = field(default_factory=dict)
    pushed: list[tuple[int, list[NewJob]]] = field(default_factory=list)
    left: list[tuple[str, Entry]] = field(default_factory=list)
    """Entries that were held once: a late caller may still come with them."""
    op: int = 0
    kinds: dict[str, str] = field(default_factory=dict)
    paused: bool = False
    paused_types: set[str] = field(default_factory=set)
    parked: set[str] = field(default_factory=set)
    limits: dict[str, bool] = field(default_factory=dict)
    lane_of: dict[str, str] = field(default_factory=dict)

    def step(self) -> str:
        name = self.rng.choice(STEPS)
        getattr(self, name)()
        return name

    def push(self) -> None:
        count = self.rng.randint(1, 6)
        priority = self.rng.randint(1, 9)
        kind = self.rng.choice(TYPES)
        jobs = [NewJob(jid, kind, b"{}") for jid in mint("mail", 3, count)]
        assert enqueue.push(self.cluster, MAIL, priority, jobs)
        self.pushed.append((priority, jobs))
        self.waiting |= {job.jid for job in jobs}
        self.kinds |= {job.jid: kind for job in jobs}

    def push_again(self) -> None:
        if self.pushed:
            priority, jobs = self.rng.choice(self.pushed[-20:])
            part = self.rng.sample(jobs, self.rng.randint(1, len(jobs)))
            assert not enqueue.push(self.cluster, MAIL, priority, sorted(part))

    def delay(self) -> None:
        jobs = [NewJob(jid, "cheap", b"{}") for jid in mint("mail", 3, self.rng.randint(1, 3))]
        assert enqueue.schedule(self.cluster, MAIL, self.rng.randint(1, 9), jobs, at_ms=1)
        self.later |= {job.jid for job in jobs}
        self.kinds |= {job.jid: "cheap" for job in jobs}

    def claim(self) -> None:
        host = self.rng.choice(HOSTS)
        self.op += 1
        worker = WORKER if host == HOSTS[0] else "2" * 16
        for _ in range(self.rng.randint(1, 2)):  # the second time as if the reply had been lost
            got = claim.claim(
                self.cluster,
                MAIL,
                host,
                worker,
                self.op,
                budget_us=1000,
                cap=self.rng.randint(1, 9),
                costs=COSTS,
            )
            for entry in got.entries:
                assert entry.jid in self.waiting or self.held[entry.jid][1].id == entry.id
                self.waiting.discard(entry.jid)
                self.held[entry.jid] = (host, entry)
                assert not self.paused and entry.type not in self.paused_types | self.limits.keys()
            self._park()
        if not got.entries and not self.paused:
            assert not self.waiting

    def _park(self) -> None:
        """What a claim has set aside is of a paused type or of a limited one, and waits no longer."""
        rows = self.cluster.run(Command(MAIL.slot, ("XRANGE", MAIL.parked, "-", "+")))
        fresh = {row[1].decode() for _, row in rows if b"l" not in row[::2]} - self.parked
        assert fresh <= self.waiting and {self.kinds[jid] for jid in fresh} <= self.paused_types
        self.waiting -= fresh
        self.parked |= fresh
        self.set_aside(rows)

    def _change(self, *edit: str) -> str:
        sign, what = edit
        reply = self.cluster.run(pause.change_command(MAIL, [(sign, what)]))
        return pause.parse_change(reply, MAIL).changes

    def pause(self) -> None:
        self.paused = True
        self._change("+", pause.EVERYTHING)

    def resume(self) -> None:
        self.paused = False
        self._change("-", pause.EVERYTHING)

    def pause_type(self) -> None:
        kind = self.rng.choice(TYPES)
        self.paused_types.add(kind)
        self._change("+", kind)

    def resume_type(self) -> None:
        kind, after, moved = self.rng.choice(TYPES), b"", 0
        self.paused_types.discard(kind)
        debt = self._change("-", kind)
        while True:
            command = pause.unpark_command(MAIL, debt, after, limit=self.rng.randint(1, 9))
            step = pause.parse_unpark(self.cluster.run(command), MAIL)
            moved, after = moved + step.moved, step.after
            if not after:
                break
        back = {jid for jid in self.parked if self.kinds[jid] == kind}
        assert moved == len(back)
        self.parked -= back
        self.waiting |= back

    def clear(self) -> None:
        if self.rng.random() < 0.3:
            mark = clear.parse_mark(self.cluster.run(clear.mark_command(MAIL)))
            reply = self.cluster.run(clear.waiting_command(MAIL, mark))
            gone = self.waiting | self.parked | self.lane_of.keys()
            assert clear.parse(reply, MAIL) == (len(gone), False)
            self.over |= gone
            self.waiting, self.parked, self.lane_of = set(), set(), {}

    def clear_later(self) -> None:
        if self.rng.random() < 0.3:
            reply = self.cluster.run(clear.later_command(MAIL))
            assert clear.parse(reply, MAIL) == (len(self.later), False)
            self.over |= self.later
            self.later = set()

    def _drop(self) -> tuple[str, Entry] | None:
        if not self.held:
            return None
        jid = self.rng.choice(sorted(self.held))
        host, entry = self.held.pop(jid)
        self.left.append((host, entry))
        return host, entry

    def settle(self) -> None:
        if found := self._drop():
            ids = {found[1].stream: [found[1].id]}
            assert settle.settle(self.cluster, MAIL, "succeeded", ids) == 1
            self.over.add(found[1].jid)

    def retry(self) -> None:
        if found := self._drop():
            decision = Retry(-10, State(attempts=1))
            assert failing.apply(self.cluster, found[1], found[0], decision) == "moved"
            self.later.add(found[1].jid)

    def bury(self) -> None:
        if found := self._drop():
            assert failing.apply(self.cluster, found[1], found[0], Bury(State(attempts=2))) == "moved"
            self.dead.add(found[1].jid)

    def discard(self) -> None:
        if found := self._drop():
            assert failing.apply(self.cluster, found[1], found[0], Discard(State())) == "moved"
            self.over.add(found[1].jid)

    def release(self) -> None:
        if found := self._drop():
            assert failing.release(self.cluster, MAIL, found[0], [(found[1], None)]) == ["moved"]
            self.waiting.add(found[1].jid)

    def recover(self) -> None:
        leases = recover.leases(self.cluster, MAIL, 0).leases
        assert len(leases) == len(self.held)
        if leases:
            lease = self.rng.choice(leases)
            jid = next(jid for jid, (_, entry) in self.held.items() if entry.id == lease.id)
            host, entry = self.held.pop(jid)
            self.left.append((host, entry))
            bury = self.rng.random() < 0.2
            assert recover.recover(self.cluster, lease, entry, State(lost=1), bury=bury)
            (self.dead if bury else self.waiting).add(jid)

    def promote(self) -> None:
        found = schedule.promote(self.cluster, MAIL, 1000)
        assert found.count == len(self.later)
        self.waiting |= self.later
        self.later.clear()

    def hasten(self) -> None:
        if self.later:
            jid = self.rng.choice(sorted(self.later))
            assert schedule.hasten(self.cluster, MAIL, [jid]) == 1
            self.later.remove(jid)
            self.waiting.add(jid)

    def dead_retry(self) -> None:
        if self.dead:
            jid = self.rng.choice(sorted(self.dead))
            assert dead.retry(self.cluster, MAIL, [dead.Letter(jid, State(attempts=2))]) == 1
            self.dead.remove(jid)
            self.waiting.add(jid)

    def dead_delete(self) -> None:
        if self.dead and self.rng.random() < 0.5:
            jid = self.dead.pop()
            assert dead.delete(self.cluster, MAIL, [jid]) == 1
            self.over.add(jid)

    def late(self) -> None:
        """Somebody comes with an entry that he holds no longer: nothing may move."""
        if self.left:
            host, entry = self.rng.choice(self.left)
            decision = self.rng.choice((Retry(0, State()), Bury(State()), Discard(State())))
            assert failing.apply(self.cluster, entry, host, decision) == "gone"
            assert failing.release(self.cluster, MAIL, host, [(entry, None)]) == ["gone"]
            assert settle.settle(self.cluster, MAIL, "succeeded", {entry.stream: [entry.id]}) == 0

    def check(self, servers: ClusterServers) -> None:
        """The partition holds exactly what the model says, each job in one place, and the sums agree."""
        found = snapshot(servers)
        streams = [found[key] for key in MAIL.streams]
        entries = {id: row[b"j"].decode() for rows, _ in streams for id, row in rows}
        leased = {id for _, leases in streams for id, _ in leases}
        rows = [row for _, row in found[MAIL.parked][0]]
        parked = {row[b"j"].decode() for row in rows if b"l" not in row}
        laned = {row[b"j"].decode(): row[b"l"][:16].decode() for row in rows if b"l" in row}
        assert laned == self.lane_of and len(found[MAIL.lanes]) == len(laned) + 1
        names = [*entries.values(), *parked, *laned]
        assert len(names) == len(set(names))
        assert {jid for id, jid in entries.items() if id in leased} == set(self.held)
        assert {jid for id, jid in entries.items() if id not in leased} == self.waiting
        assert parked == self.parked
        assert {jid.decode() for jid, _ in found[MAIL.later]} - {""} == self.later
        assert {jid.decode() for jid, _ in found[MAIL.dead]} - {""} == self.dead
        bodies = {jid.decode() for bucket in MAIL.jobs for jid in found[bucket]} - {""}
        assert bodies == self.later | self.dead
        seen = look.parse_look(self.cluster.run(look.look_command(MAIL)), MAIL)
        lives = len(self.waiting) + len(self.later) + len(self.held) + len(self.parked) + len(laned)
        assert alive(seen.counters) == lives and seen.parked == len(self.parked)
        assert seen.ready == len(self.waiting) + len(laned) and seen.in_flight == len(self.held)
        peek = look.parse_peek(self.cluster.run(look.peek_command(MAIL)), MAIL)
        unsorted = UNSORTED in laned.values()
        assert (peek.highest > 0) == ((bool(self.waiting) or unsorted) and not self.paused)
        assert peek.lanes == (bool(set(laned.values()) - {UNSORTED}) and not self.paused)

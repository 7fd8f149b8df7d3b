"""Whatever the order of pushes, claims, ends, rewinds, skips and undos: nobody is lost or in two places, and
what is in flight is never delivered a second time. Each call may be sent twice, as if its reply had been
lost."""

from dataclasses import dataclass, field
from random import Random

import pytest

from ganger.cluster import Cluster
from ganger.jid import mint
from ganger.job import Entry, State
from ganger.lifecycle import alive
from ganger.operations import claim, enqueue, failing, look, replay, schedule, settle
from ganger.operations.enqueue import NewJob
from ganger.operations.replay import Choice, Step
from ganger.retry import Discard, Retry
from support.history import retaining, rows
from support.keyspace import HOST, MAIL, WORKER, now_ms, snapshot
from support.servers import ClusterServers

STEPS = (
    *(
        "push",
        "push",
        "claim",
        "claim",
        "settle",
        "settle",
        "settle",
        "retry",
        "discard",
        "release",
        "promote",
    ),
    *("rewind", "rewind", "undo", "skip", "unskip"),
)
COSTS = claim.pack_costs({"shop.send": 100, "shop.bill": 100})
EVER = 1 << 45


@dataclass
class Past:
    """The model: where each job is, and by which run it was moved last."""

    cluster: Cluster
    rng: Random
    waiting: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    held: dict[str, Entry] = field(default_factory=dict)
    log: dict[str, str] = field(default_factory=dict)
    """jid -> how it ended."""
    types: dict[str, str] = field(default_factory=dict)
    brought: dict[str, set[str]] = field(default_factory=dict)
    """run -> what it brought back and nobody has begun yet."""
    skipped: dict[str, set[str]] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)
    """jid -> how it had ended before it was brought back."""
    tried: set[str] = field(default_factory=set)
    """Jobs that have a state."""
    op: int = 0
    runs: int = 0

    def step(self) -> str:
        name = self.rng.choice(STEPS)
        getattr(self, name)()
        return name

    def _run(self) -> str:
        self.runs += 1
        return f"run{self.runs}"

    def _stamped_anew(self, jids: set[str]) -> None:
        """A later run has moved these: they are no longer the earlier ones'."""
        for owner in (*self.brought.values(), *self.skipped.values()):
            owner -= jids

    def push(self) -> None:
        kind = self.rng.choice(("shop.send", "shop.bill"))
        jobs = [NewJob(jid, kind, b"{}") for jid in mint("mail", 3, self.rng.randint(1, 5))]
        assert enqueue.push(self.cluster, MAIL, self.rng.randint(1, 9), jobs)
        self.waiting |= {job.jid for job in jobs}
        self.types |= {job.jid: kind for job in jobs}

    def claim(self) -> None:
        self.op += 1
        cap = self.rng.randint(1, 6)
        got = claim.claim(self.cluster, MAIL, HOST, WORKER, self.op, budget_us=100_000, cap=cap, costs=COSTS)
        for entry in got.entries:
            assert entry.jid in self.waiting, "it was held, or nobody's"
            self.waiting.discard(entry.jid)
            self.held[entry.jid] = entry
            for mine in self.brought.values():
                mine.discard(entry.jid)

    def _drop(self) -> Entry | None:
        return self.held.pop(self.rng.choice(sorted(self.held))) if self.held else None

    def settle(self) -> None:
        if entry := self._drop():
            assert settle.settle(self.cluster, MAIL, "succeeded", {entry.stream: [entry.id]}) == 1
            self._over(entry, "succeeded")

    def _over(self, entry: Entry, how: str) -> None:
        assert entry.jid not in self.log
        self.log[entry.jid] = how
        self.tried.discard(entry.jid)

    def retry(self) -> None:
        if entry := self._drop():
            assert failing.apply(self.cluster, entry, HOST, Retry(-10, State(attempts=1))) == "moved"
            self.later.add(entry.jid)
            self.tried.add(entry.jid)

    def discard(self) -> None:
        if entry := self._drop():
            assert failing.apply(self.cluster, entry, HOST, Discard(State())) == "moved"
            self._over(entry, "exhausted")

    def release(self) -> None:
        if entry := self._drop():
            assert failing.release(self.cluster, MAIL, HOST, [(entry, None)]) == ["moved"]
            self.waiting.add(entry.jid)
            # Given back unrun: still its run's, if it was never tried.
            stamps = entry.body.partition(b"\n")[0].split()
            for stamp in stamps:
                run = stamp[1:].decode().partition(":")[0]
                if stamp[:1] == b"r" and run in self.brought and entry.jid not in self.tried:
                    self.brought[run].add(entry.jid)

    def promote(self) -> None:
        assert schedule.promote(self.cluster, MAIL, 1000).count == len(self.later)
        self.waiting |= self.later
        self.later.clear()

    def rewind(self) -> None:
        run, kind = self._run(), self.rng.choice(("", "", "shop.bill"))
        choice = Choice(0, EVER, kind, self.rng.choice((("succeeded", "exhausted"), replay.HOWS)))
        mine = {jid for jid, how in self.log.items() if how in choice.hows and kind in ("", self.types[jid])}
        limit, cursor, step = self.rng.randint(1, 20), b"", Step(0, b"")
        while step.total == 0 or cursor:
            command = replay.replay_command(MAIL, run, choice, cursor, limit)
            for _ in range(self.rng.randint(1, 2)):
                step = replay.parse_step(self.cluster.run(command), MAIL)
            cursor = step.cursor
            if not cursor:
                break
        assert step.total == len(mine)
        self._stamped_anew(mine)
        self.before |= {jid: self.log.pop(jid) for jid in mine}
        self.waiting |= mine
        self.tried -= mine
        self.brought[run] = set(mine)

    def undo(self) -> None:
        if not self.brought:
            return
        run = self.rng.choice(sorted(self.brought))
        mine = self.brought.pop(run) & self.waiting
        for stream in range(10):
            for _ in range(self.rng.randint(1, 2)):
                step = replay.parse_step(
                    self.cluster.run(replay.undo_command(MAIL, stream, run, "log")), MAIL
                )
        assert step.total == len(mine)
        self.waiting -= mine
        self.log |= {jid: self.before[jid] for jid in mine}

    def skip(self) -> None:
        run = self._run()
        mine = set(self.waiting)
        for stream in range(10):
            command = replay.skip_command(MAIL, stream, run, now_ms(self.cluster) + 3_600_000)
            for _ in range(self.rng.randint(1, 2)):
                step = replay.parse_step(self.cluster.run(command), MAIL)
        assert step.total == len(mine)
        self._stamped_anew(mine)
        self.waiting.clear()
        self.log |= dict.fromkeys(mine, "skipped")
        self.skipped[run] = mine

    def unskip(self) -> None:
        if not self.skipped:
            return
        run = self.rng.choice(sorted(self.skipped))
        mine = {jid for jid in self.skipped.pop(run) if self.log.get(jid) == "skipped"}
        for _ in range(self.rng.randint(1, 2)):
            step = replay.parse_step(self.cluster.run(replay.unskip_command(MAIL, run)), MAIL)
        assert step.total == len(mine)
        for jid in mine:
            del self.log[jid]
        self.waiting |= mine

    def check(self, servers: ClusterServers) -> None:
        found = snapshot(servers)
        entries = {id: row[b"j"].decode() for key in MAIL.streams for id, row in found[key][0]}
        leased = {id for key in MAIL.streams for id, _ in found[key][1]}
        later = [jid.decode() for jid, _ in found[MAIL.later] if jid]
        log = [row[b"j"].decode() for row in rows(found, MAIL.log)]
        everywhere = [*entries.values(), *later, *log]
        assert len(everywhere) == len(set(everywhere)), "in two places"
        assert set(everywhere) == set(self.types), "lost"
        assert {jid for id, jid in entries.items() if id in leased} == set(self.held)
        assert {jid for id, jid in entries.items() if id not in leased} == self.waiting
        assert (set(later), set(log)) == (self.later, set(self.log))
        seen = look.parse_look(self.cluster.run(look.look_command(MAIL)), MAIL)
        assert alive(seen.counters) == len(self.waiting) + len(self.later) + len(self.held)


@pytest.mark.parametrize("seed", range(5))
def test_nobody_is_lost_and_nobody_is_in_two_places(
    cluster: Cluster, cluster_servers: ClusterServers, seed: int
) -> None:
    retaining(cluster)
    past = Past(cluster, Random(seed))
    names = []
    for number in range(150):
        try:
            names.append(past.step())
            if number % 10 == 9:
                past.check(cluster_servers)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, after {names}: {error}") from error
    past.check(cluster_servers)

"""The part of the random walk in which types are limited: who must be in which lane, and who is first."""

from collections.abc import Sequence
from random import Random

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Entry
from ganger.operations import claim, lanes
from ganger.operations.lanes import UNSORTED, Mark, lane_id
from support.keyspace import HOST, MAIL, WORKER

KEYS = ("", "0" * 15 + "1", "0" * 15 + "2")
COSTS = claim.pack_costs({"cheap": 10, "dear": 10, "unknown": 10})


class LanedWalk:
    """A mixin of Walk. `limits`: type -> whether its lanes are by key; `lane_of`: jid -> id of its lane."""

    cluster: Cluster
    rng: Random
    waiting: set[str]
    held: dict[str, tuple[str, Entry]]
    kinds: dict[str, str]
    paused: bool
    paused_types: set[str]
    op: int
    limits: dict[str, bool]
    lane_of: dict[str, str]

    def limit(self) -> None:
        kind, keyed = self.rng.choice(("cheap", "dear", "unknown")), self.rng.random() < 0.6
        self.limits[kind] = keyed
        command = lanes.aside_command(MAIL, [Mark(kind, keyed)], 3_600_000)
        assert lanes.parse_aside(self.cluster.run(command), MAIL)

    def unlimit(self) -> None:
        """Nobody says it any more, and the leader sees to it."""
        if not self.limits:
            return
        kind = self.rng.choice(sorted(self.limits))
        del self.limits[kind]
        self.cluster.run(lanes.aside_command(MAIL, [Mark(kind, False)], 0))
        after, debt, moved = "", "", 0
        while True:
            command = lanes.unlane_command(MAIL, after, debt, limit=self.rng.randint(1, 9))
            step = lanes.parse_unlane(self.cluster.run(command), MAIL)
            moved, after, debt = moved + step.moved, step.after, step.debt
            if not after:
                break
        back = {jid for jid in self.lane_of if self.kinds[jid] == kind or self._lies_wrong(jid)}
        assert moved == len(back)
        self.waiting |= back
        self.lane_of = {jid: lane for jid, lane in self.lane_of.items() if jid not in back}

    def _lies_wrong(self, jid: str) -> bool:
        """It was put aside when its type had lanes by key."""
        kind = self.kinds[jid]
        return not self.limits[kind] and self.lane_of[jid] != lane_id(kind, "")

    def set_aside(self, rows: Sequence[tuple[bytes, list[bytes]]]) -> None:
        """What a claim has put into a lane is there, and waits no longer."""
        for _, row in rows:
            fields = dict(zip(row[::2], row[1::2], strict=True))
            jid, place = fields[b"j"].decode(), fields.get(b"l", b"").decode()
            if place and jid not in self.lane_of:
                kind = self.kinds[jid]
                assert place[:16] == (UNSORTED if self.limits[kind] else lane_id(kind, ""))
                self.waiting.remove(jid)
                self.lane_of[jid] = place[:16]

    def sort(self) -> None:
        found = lanes.parse_unsorted(self.cluster.run(lanes.unsorted_command(MAIL, 9)), MAIL)
        unsorted = {jid for jid, lane in self.lane_of.items() if lane == UNSORTED}
        assert {job.jid for job in found} <= unsorted and len(found) == min(len(unsorted), 9)
        moves = [(job.id, job.type, self.rng.choice(KEYS)) for job in found]
        sorted_ = {
            job.jid: lane_id(job.type, key)
            for job, (*_, key) in zip(found, moves, strict=True)
            if self.limits[job.type] or not key
        }
        assert lanes.parse_sort(self.cluster.run(lanes.sort_command(MAIL, moves)), MAIL) == len(sorted_)
        self.lane_of |= sorted_

    def claim_lane(self) -> None:
        """All lanes are told, and from one the first are taken, twice as if the reply had been lost."""
        told, after = lanes.parse_look(self.cluster.run(lanes.look_command(MAIL)), MAIL)
        there = {lane for jid, lane in self.lane_of.items() if self.kinds[jid] not in self.paused_types}
        assert {lane.id for lane in told} == (set() if self.paused else there - {UNSORTED}) and not after
        if not told:
            return
        lane, cap = self.rng.choice(told), self.rng.randint(1, 4)
        first = self._places(lane.id)[:cap]
        self.op += 1
        for _ in range(2):
            command = lanes.claim_command(MAIL, HOST, WORKER, self.op, lane.id, 10**9, cap, 1 << 20, COSTS)
            got = claim.parse(self.cluster.run(command), MAIL)
            assert [entry.jid for entry in got.entries] == first
        for entry in got.entries:
            del self.lane_of[entry.jid]
            self.held[entry.jid] = (HOST, entry)

    def _places(self, lane: str) -> list[str]:
        """Who waits there, by what each entry says of its place."""
        rows = self.cluster.run(Command(MAIL.slot, ("XRANGE", MAIL.parked, "-", "+")))
        named = [(id, dict(zip(row[::2], row[1::2], strict=True))) for id, row in rows]
        there = [(row[b"l"], at, row[b"j"].decode()) for at, (_, row) in enumerate(named) if b"l" in row]
        return [jid for place, _, jid in sorted(there) if place[:16].decode() == lane]

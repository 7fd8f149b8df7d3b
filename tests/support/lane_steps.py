"""The steps of the walk of crashes in which a type is limited: what claims meet goes aside, is sorted, is
claimed lane by lane, and comes back when the limit is no more."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from ganger.command import Command
from ganger.operations import claim as claims
from ganger.operations import lanes
from ganger.operations.lanes import Mark
from support.crashing import CrashingCluster
from support.keyspace import MAIL, now_ms
from support.model import Place

TYPE = "cheap"
KEYS = ("", "0" * 15 + "1", "0" * 15 + "2")
HOSTS = ("a" * 16, "b" * 16)
WORKERS = {HOSTS[0]: "1" * 16, HOSTS[1]: "2" * 16}


class LaneSteps:
    """A mixin of CrashWalk."""

    cluster: CrashingCluster
    rng: Random
    places: dict[str, Place]
    over: str
    op: int
    paused: bool
    act: Callable[[Callable[[], Any], dict[str, Iterable[str]]], None]
    of: Callable[[str], list[str]]
    has_expired: Callable[[str], bool]
    paused_types: Callable[[], frozenset[str]]
    resume_type: Callable[[], None]
    claim: Callable[[], None]

    def __init__(self) -> None:
        self._sorted: dict[bytes, str] = {}

    def aside(self) -> list[str]:
        return self.of("parked") + self.of("unsorted") + self.of("laned")

    def limited(self) -> str:
        """Where a claim puts what it meets; nowhere while there is no limit."""
        words = self.cluster.run(Command(MAIL.slot, ("HGET", MAIL.meta, "aside"))) or b""
        return "" if not words else "unsorted" if words.startswith(b"!") else "laned"

    def limit(self) -> None:
        """A coordinator says it, for a long time or for none."""
        mark = Mark(TYPE, keyed=self.rng.random() < 0.6)
        ttl_ms = self.rng.choice((0, 3_600_000, 3_600_000))
        self.act(lambda: self.cluster.run(lanes.aside_command(MAIL, [mark], ttl_ms)), {})

    def unlimit(self) -> None:
        """The leading scheduler takes back what nobody says any more."""

        def pay() -> None:
            step = lanes.parse_unlane(self.cluster.run(lanes.unlane_command(MAIL, limit=2)), MAIL)
            while step.after:
                command = lanes.unlane_command(MAIL, step.after, step.debt, limit=2)
                step = lanes.parse_unlane(self.cluster.run(command), MAIL)

        if self.rng.random() < 0.8 and self.limited():
            self.cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "aside", f"!{TYPE}=1")))
        words = self.cluster.run(Command(MAIL.slot, ("HGET", MAIL.meta, "aside"))) or b"=0"
        is_over = int(words.rpartition(b"=")[2]) < now_ms(self.cluster)
        here = self.of("unsorted") + self.of("laned")
        moves: dict[str, Iterable[str]] = dict.fromkeys(here, ("waiting",))
        if not is_over:  # what lies as another word had it moves, if any does
            moves = {jid: ("waiting", self.places[jid].what) for jid in here}
        self.act(pay, moves)

    def sort(self) -> None:
        """A worker works the keys out; some of what it has read is elsewhere by now."""
        found = lanes.parse_unsorted(self.cluster.run(lanes.unsorted_command(MAIL, 4)), MAIL)
        keys = [(job.id, job.type, self.rng.choice(KEYS)) for job in found]
        stale = [(id, TYPE, key) for id, key in self._sorted.items() if self.rng.random() < 0.3]
        self._sorted = {id: key for id, _, key in keys}
        command = lanes.sort_command(MAIL, [*stale, *keys])
        moves: dict[str, Iterable[str]] = {job.jid: ("laned", "unsorted") for job in found}
        self.act(lambda: self.cluster.run(command), moves)

    def claim_lane(self) -> None:
        """The first of one lane, for whoever has its pass; or what brings something there."""
        found, _ = lanes.parse_look(self.cluster.run(lanes.look_command(MAIL)), MAIL)
        assert bool(found) == bool(self.of("laned") and not self.paused and not self.paused_types())
        if not found:
            if self.paused_types():
                self.resume_type()
            elif self.of("unsorted"):
                self.sort()
            elif self.limited():
                self.claim()
            return
        lane, host, cap = self.rng.choice(found), self.rng.choice(HOSTS), self.rng.randint(1, 3)
        self.op += 1
        op, before = self.op, len(self.of("held"))

        def take() -> None:
            worker = WORKERS[host]
            command = lanes.claim_command(MAIL, host, worker, op, lane.id, 1000, cap, 1 << 20, {TYPE: 10})
            claimed = claims.parse(self.cluster.run(command), MAIL)
            assert all(entry.stream == 10 for entry in claimed.entries)

        moves: dict[str, Iterable[str]] = {
            jid: ("laned", self.over if self.has_expired(jid) else "held") for jid in self.of("laned")
        }
        self.act(take, moves)
        assert len(self.of("held")) - before <= cap, "a claim that was repeated took more"

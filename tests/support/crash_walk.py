"""A random walk over all that may happen to jobs, in which whoever acts may die before or after any script.

After a crash nobody knows whether the step was done. Either it is left as it is, and each job it was about
must be where it was or where it was to go; or a survivor repeats it, and then it must be done, once.
"""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from ganger.jid import mint
from ganger.job import NewJob, State
from ganger.label import Label
from ganger.lifecycle import alive
from ganger.operations import (
    cancel,
    claim,
    clear,
    dead,
    enqueue,
    failing,
    find,
    look,
    pause,
    recover,
    schedule,
    settle,
    track,
    unique,
)
from ganger.retry import Bury, Discard, Retry
from support.crashing import Crash, CrashingCluster
from support.keyspace import MAIL
from support.labelled_steps import LabelledSteps
from support.lane_steps import LaneSteps
from support.model import Place, picture
from support.past_steps import PastSteps
from support.servers import ClusterServers

HOSTS = ("a" * 16, "b" * 16)
WORKERS = {HOSTS[0]: "1" * 16, HOSTS[1]: "2" * 16}
COSTS = claim.pack_costs({"cheap": 10})
GONE = Place("gone")
STEPS = (
    *(
        "push",
        "push",
        "push_unique",
        "push_unique",
        "push_later",
        "claim",
        "claim",
        "claim",
        "settle",
        "settle",
    ),
    *("retry", "bury", "discard", "release", "recover", "promote", "promote"),
    *("hasten", "dead_retry", "dead_delete"),
    *("rewind", "undo_rewind", "skip", "undo_skip"),
    *("pause_type", "resume_type", "resume_type", "clear", "clear_later", "cancel", "cancel", "keep"),
    *("push_labelled", "push_labelled", "finish", "run_cron", "pause", "resume", "resume"),
    *("limit", "unlimit", "unlimit", "sort", "sort", "sort", "claim_lane", "claim_lane", "claim_lane"),
    *("claim_lane", "settle", "resume_type"),
)


class CrashWalk(PastSteps, LabelledSteps, LaneSteps):
    """`places` is the model: where each job must be. `rate`: how often whoever acts dies."""

    def __init__(
        self, cluster: CrashingCluster, servers: ClusterServers, rng: Random, rate: float = 0.4
    ) -> None:
        PastSteps.__init__(self)
        LabelledSteps.__init__(self)
        LaneSteps.__init__(self)
        self.cluster = cluster
        self.servers = servers
        self.rng = rng
        self.rate = rate
        self.places: dict[str, Place] = {}
        self.digests: dict[str, str] = {}
        """jid -> the digest that it was pushed under"""
        self.op = 0

    def step(self) -> str:
        name = self.rng.choice(STEPS)
        getattr(self, name)()
        return name

    def of(self, what: str) -> list[str]:
        return sorted(jid for jid, place in self.places.items() if place.what == what)

    def act(self, call: Callable[[], Any], moves: dict[str, Iterable[str]]) -> None:
        """Do it, and see that each job in `moves` went where it may go, and no other moved. A step that was
        begun and lost is repeated, or left as it is."""
        lost = False
        if self.rng.random() < self.rate:
            self.cluster.arm(self.rng.randint(1, 2), after=self.rng.random() < 0.6)
        try:
            call()
        except Crash:
            lost = self.rng.random() < 0.5
            if not lost:
                call()
        finally:
            self.cluster.disarm()
        found = picture(self.servers).places
        for jid in self.places.keys() | moves.keys() | found.keys():
            was, now = self.places.get(jid, GONE), found.get(jid, GONE)
            allowed = set(moves.get(jid, (was.what,))) | ({was.what} if lost else set())
            assert now.what in allowed, f"{jid} was {was.what}, may be {allowed}, and is {now.what}"
        self.places = found

    # ---- the steps -------------------------------------------------------------------------------------

    def push(self) -> None:
        jobs = [NewJob(jid, "cheap", b"{}") for jid in mint("mail", 3, self.rng.randint(1, 4))]
        priority = self.rng.randint(1, 9)
        self.act(
            lambda: enqueue.push(self.cluster, MAIL, priority, jobs), {job.jid: ("waiting",) for job in jobs}
        )

    def push_later(self) -> None:
        jobs = [NewJob(jid, "cheap", b"{}") for jid in mint("mail", 3, self.rng.randint(1, 3))]
        self.act(
            lambda: enqueue.schedule(self.cluster, MAIL, 5, jobs, at_ms=1),
            {job.jid: ("later",) for job in jobs},
        )

    def push_unique(self) -> None:
        """The holder keeps its lock, or, waiting and to be replaced, goes."""
        digest = f"d{self.rng.randint(1, 4)}"
        job = NewJob(mint("mail", 3)[0], "cheap", f"u{digest}\n{{}}".encode())
        replace, at_ms = self.rng.random() < 0.4, self.rng.choice((None, 1))
        holder = picture(self.servers).locks.get(digest)
        self.digests[job.jid] = digest
        self.pushed_as(job.jid, Label(unique=digest))
        moves: dict[str, Iterable[str]] = {job.jid: ("later" if at_ms else "waiting",)}
        if holder is not None:
            moves[job.jid] = ("gone",)
            if replace and self.places[holder].what == "later":
                moves = {job.jid: ("later" if at_ms else "waiting",), holder: ("gone",)}
        command = unique.push_command(MAIL, 5, job, digest, 3_600_000, at_ms=at_ms, replace=replace)
        self.act(lambda: self.cluster.run(command), moves)

    def claim(self) -> None:
        host = self.rng.choice(HOSTS)
        self.op += 1
        op, cap = self.op, self.rng.randint(1, 5)

        def take() -> None:
            claim.claim(self.cluster, MAIL, host, WORKERS[host], op, budget_us=1000, cap=cap, costs=COSTS)

        before, goes = len(self.of("held")), "parked" if self.paused_types() else self.limited() or "held"
        moves: dict[str, Iterable[str]] = {
            jid: ("waiting", self.over if self.has_expired(jid) else goes)
            for jid in self.of("waiting")
            if not self.paused
        }
        self.act(take, moves)
        assert len(self.of("held")) - before <= cap, "a claim that was repeated took more"

    def paused_types(self) -> frozenset[str]:
        return pause.parse_held(self.cluster.run(pause.held_command(MAIL))).types

    def pause_type(self) -> None:
        self.act(lambda: self.cluster.run(pause.change_command(MAIL, [("+", "cheap")])), {})

    def resume_type(self) -> None:
        def resume() -> None:
            reply = self.cluster.run(pause.change_command(MAIL, [("-", "cheap")]))
            debt, after = pause.parse_change(reply, MAIL).changes, b""
            while True:
                reply = self.cluster.run(pause.unpark_command(MAIL, debt, after, limit=2))
                after = pause.parse_unpark(reply, MAIL).after
                if not after:
                    return

        parked = self.of("parked")
        self.act(resume, dict.fromkeys(parked, ("waiting",)))

    def clear(self) -> None:
        if self.rng.random() < 0.3:
            mark = clear.parse_mark(self.cluster.run(clear.mark_command(MAIL)))
            command = clear.waiting_command(MAIL, mark)
            gone = self.of("waiting") + self.aside()
            self.act(lambda: self.cluster.run(command), dict.fromkeys(gone, ("gone",)))

    def clear_later(self) -> None:
        if self.rng.random() < 0.3:
            command = clear.later_command(MAIL)
            self.act(lambda: self.cluster.run(command), dict.fromkeys(self.of("later"), ("gone",)))

    def cancel(self) -> None:
        """What nobody holds is gone; what is held goes when its holder moves it."""
        jids = sorted(self.places.keys() - set(self.of("dead") + self.of("log")))
        if not jids:
            return
        jid = self.rng.choice(jids)

        def end() -> None:
            found = find.find(self.cluster, MAIL, jid)
            if found is not None:
                cancel.cancel(self.cluster, MAIL, jid, stream=found.stream, id=found.id)

        held = self.places[jid].what == "held"
        self.act(end, {jid: ("held" if held else "gone",)})

    def keep(self) -> None:
        if place := self.held():
            entry = place.entry
            assert entry is not None
            self.act(lambda: track.keep(self.cluster, entry, place.host, "c", b"1"), {})

    def held(self) -> Place | None:
        jids = self.of("held")
        return self.places[self.rng.choice(jids)] if jids else None

    def move(self, decision: Any, goes_to: str) -> None:
        if place := self.held():
            entry = place.entry
            assert entry is not None
            self.act(
                lambda: failing.apply(self.cluster, entry, place.host, decision),
                {entry.jid: ("gone" if place.marked else goes_to,)},
            )

    def retry(self) -> None:
        self.move(Retry(-10, State(attempts=1)), "later")

    def bury(self) -> None:
        self.move(Bury(State(attempts=2)), "dead")

    def discard(self) -> None:
        self.move(Discard(State()), self.over)

    def settle(self) -> None:
        if place := self.held():
            entry = place.entry
            assert entry is not None
            ids = {entry.stream: [entry.id]}
            self.act(lambda: settle.settle(self.cluster, MAIL, "succeeded", ids), {entry.jid: (self.over,)})

    def release(self) -> None:
        if place := self.held():
            entry = place.entry
            assert entry is not None
            self.act(
                lambda: failing.release(self.cluster, MAIL, place.host, [(entry, None)]),
                {entry.jid: ("gone" if place.marked else "waiting",)},
            )

    def recover(self) -> None:
        leases = recover.leases(self.cluster, MAIL, 0).leases
        if leases:
            lease = self.rng.choice(leases)
            entry = next(p.entry for p in self.places.values() if p.entry and p.entry.id == lease.id)
            bury = self.rng.random() < 0.2
            self.act(
                lambda: recover.recover(self.cluster, lease, entry, State(lost=1), bury=bury),
                {entry.jid: ("gone" if self.places[entry.jid].marked else "dead" if bury else "waiting",)},
            )

    def promote(self) -> None:
        self.act(
            lambda: schedule.promote(self.cluster, MAIL, 1000), dict.fromkeys(self.of("later"), ("waiting",))
        )

    def hasten(self) -> None:
        if jids := self.of("later"):
            jid = self.rng.choice(jids)
            self.act(lambda: schedule.hasten(self.cluster, MAIL, [jid]), {jid: ("waiting",)})

    def dead_retry(self) -> None:
        if jids := self.of("dead"):
            jid = self.rng.choice(jids)
            letters = [dead.Letter(jid, State(attempts=2))]
            self.act(lambda: dead.retry(self.cluster, MAIL, letters), {jid: ("waiting",)})

    def dead_delete(self) -> None:
        if jids := self.of("dead"):
            jid = self.rng.choice(jids)
            self.act(lambda: dead.delete(self.cluster, MAIL, [jid]), {jid: ("gone",)})

    def check(self) -> None:
        """The counters say what is there, whatever was repeated."""
        seen = look.parse_look(self.cluster.run(look.look_command(MAIL)), MAIL)
        kinds = ("waiting", "held", "later", "dead", "parked", "unsorted", "laned")
        counts = {what: len(self.of(what)) for what in kinds}
        assert (seen.ready - seen.laned, seen.in_flight) == (counts["waiting"], counts["held"])
        assert seen.laned == counts["unsorted"] + counts["laned"]
        assert (seen.later, seen.dead, seen.parked) == (counts["later"], counts["dead"], counts["parked"])
        assert alive(seen.counters) == sum(counts.values()) - counts["dead"]
        peek = look.parse_peek(self.cluster.run(look.peek_command(MAIL)), MAIL)
        work = counts["waiting"] + counts["unsorted"]
        assert (peek.highest > 0) == (work > 0 and not self.paused), "nobody would look"
        assert peek.lanes == (counts["laned"] > 0 and not self.paused), "nobody would look for lanes"
        self.check_labels(picture(self.servers))

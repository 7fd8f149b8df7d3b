"""A chaos run from its start to its report: warm-up, harm, healing, drain, checks.

The schedule is random, from a seed that is printed. Each nemesis has a thread of its own that strikes now and
then; the threads live until the end of the run. `ganger chaos` and the system tests call `run`.
"""

import random
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from chaos import judging, kept, leftovers, network, plants, versions
from chaos.journal import Record
from chaos.kept import Over, Struck
from chaos.kinds import HOSTS, KEPT
from chaos.nemesis import Nemesis, NotNow, Stage
from chaos.report import Report
from chaos.watch import Watch
from chaos.world import World
from ganger import inspect
from ganger.admin import Admin
from ganger.errors import GangerError
from support.server import binary_path

__all__ = ["MODULES", "Plan", "binary_path", "judge", "run", "summon"]

MODULES = (
    "processes",
    "failover",
    "partition",
    "slots",
    "servers",
    "refusals",
    "network",
    "clock",
    "semaphores",
    "operators",
)
MOST_WAITING = 20_000
"""With more jobs ready than that, producers rest."""
DRAIN_S = 240.0
SOON_S = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """`pace`: how many times as often as they say the nemeses strike."""

    seed: int
    minutes: float
    per_s: float = 500.0
    pace: float = 1.0
    only: Sequence[str] = ()
    """Modules of nemeses; none: all there are."""
    plant: str = ""
    apart: bool = False
    """Hosts in network namespaces, where they can be had: for a process that was made for the run."""
    server: str = "valkey"
    """What the servers run (support/server.py)."""
    needs: Sequence[str] | None = None
    """Branches that must have been taken; None: those that the nemeses aim at which struck often."""

    @property
    def warm_up_s(self) -> float:
        return min(30.0, self.minutes * 60 * 0.15)


class Striker(threading.Thread):
    """One nemesis at work."""

    def __init__(
        self, nemesis: Nemesis, seed: str, pace: float, record: Record, over: threading.Event
    ) -> None:
        super().__init__(name=nemesis.name, daemon=True)
        self.nemesis, self.tally = nemesis, Struck(nemesis.name, sorted(nemesis.branches))
        self._rng = random.Random(seed)
        self._pause_s = nemesis.every_s / pace
        self._record, self._over = record, over
        self.resting = threading.Event()
        self._end = threading.Event()

    def run(self) -> None:
        # Not all at once at the start, and each at least once in a run that is long enough.
        pause_s = self._rng.uniform(0, self._pause_s)
        while not self._over.wait(pause_s):
            done = self._strike()
            # What can't be now may be in a moment, when it is nobody else's turn.
            pause_s = self._rng.expovariate(1 / (self._pause_s if done else min(self._pause_s, SOON_S)))
        self.resting.set()
        self._end.wait()  # whatever this thread has started dies with it

    def dismiss(self) -> None:
        self._end.set()

    def _strike(self) -> bool:
        name, begin_ns = self.nemesis.name, time.monotonic_ns()
        self._record.note("strikes", name=name)
        try:
            self.nemesis.strike(self._rng)
        except NotNow as why:
            self.tally.skip(why)
            return False
        except Exception:
            self.tally.trouble = self.tally.trouble or f"{name}: {traceback.format_exc()}"
            self.nemesis.heal()
        self.tally.count += 1
        self._record.note("strike", name=name, begin_ns=begin_ns, end_ns=time.monotonic_ns())
        return True


def summon(stage: Stage, only: Sequence[str]) -> list[Nemesis]:
    """The nemeses of these modules, or of all."""
    found: list[Nemesis] = []
    for name in only or MODULES:
        found += import_module(f"chaos.nemeses.{name}").nemeses(stage)
    return found


def run(plan: Plan, root: Path, say: Say = lambda line: None) -> Report:
    """The whole of it; `root` is a directory that is empty or not there yet."""
    root.mkdir(parents=True, exist_ok=True)
    record = Record(root / "strikes")
    planted = plants.plant(plan.plant, root / "planted") if plan.plant else None
    began_ns, ganger = time.monotonic_ns(), versions.of_ganger()
    lines = network.lay(len(HOSTS)) if plan.apart else network.Loopback("all is on one address here")
    world = World(root, plan.seed, plan.per_s, lines, record.note, planted, plan.server)
    with world:
        watch = Watch(world.jobs, record.note)
        watch.start()
        strikers = _harm(plan, world, record, say)
        marks = _heal_and_drain(world, record, strikers, say)
        watch.stop()
        final = leftovers.look(world, marks)
        for striker in strikers:
            striker.dismiss()
        for host in world.hosts:
            host.dismiss()
        final.leaks += leftovers.consumers(world) + leftovers.strays(world)
    final.leaks += [f"process left behind: {each}" for each in world.left_behind()]
    record.close()
    over = Over(
        final,
        seed=plan.seed,
        minutes=plan.minutes,
        plant=plan.plant,
        server=plan.server,
        needs=plan.needs,
        struck=[striker.tally for striker in strikers],
        errors=dict(watch.errors),
        began_ns=began_ns,
        ganger=ganger,
        server_version=versions.of_server(plan.server),
    )
    kept.write(root, over)
    say("checking")
    return judging.judge(root, over)


def judge(root: Path) -> Report | None:
    """A run that is over, judged again by what it kept; None when it was broken off. Raises KeptDamaged."""
    over = kept.read(root)
    return replace(judging.judge(root, over), judged_again=True) if over else None


def _harm(plan: Plan, world: World, record: Record, say: Say) -> list[Striker]:
    """Warm up, then let them strike until the time is over."""
    for producer in world.producers:
        producer.start()
    ticker = Ticker(world, record, say)
    begin_s = time.monotonic()
    ticker.until(begin_s + plan.warm_up_s, "warming up")
    over = threading.Event()
    strikers = [
        Striker(nemesis, f"{plan.seed} {nemesis.name}", plan.pace, record, over)
        for nemesis in summon(world.stage(record.note), plan.only)
    ]
    record.note("harm begins")
    for striker in strikers:
        striker.start()
    ticker.strikers = strikers
    ticker.until(begin_s + plan.minutes * 60, "under fire")
    over.set()
    for striker in strikers:
        if not striker.resting.wait(120):
            tally = striker.tally
            tally.trouble = tally.trouble or f"{tally.name}: its strike did not return"
    record.note("harm ends")
    return strikers


@dataclass
class Marks:
    """What happened after the harm."""

    replayed: int | None = None
    trouble: list[str] = field(default_factory=list)


def _heal_and_drain(world: World, record: Record, strikers: list[Striker], say: Say) -> Marks:
    """Everything whole; fresh workers; the past replayed once; then all that is left is worked off."""
    marks = Marks()
    for striker in strikers:
        try:
            striker.nemesis.heal()
        except Exception as error:
            marks.trouble.append(f"{striker.nemesis.name} did not heal: {error!r}")
    world.jobs.mend()
    world.semaphores.mend()
    record.note("healed")
    for host in world.hosts:  # fresh ones
        host.revive()
    ticker = Ticker(world, record, say, strikers)
    ticker.until(time.monotonic() + 10, "healed")
    for producer in world.producers:
        producer.stop()
    record.note("pushing ends")
    _await_empty(ticker, marks, "draining")
    _replay(world, record, marks)
    _await_empty(ticker, marks, "replaying")
    record.note("drained")
    return marks


def _await_empty(ticker: "Ticker", marks: Marks, what: str) -> None:
    until_s = time.monotonic() + DRAIN_S
    while ticker.look() is None or ticker.left:
        if time.monotonic() > until_s:
            marks.trouble.append(f"{what}: {ticker.left} jobs are left after {DRAIN_S:.0f} s")
            return
        ticker.until(time.monotonic() + 1.0, what)


def _replay(world: World, record: Record, marks: Marks) -> None:
    """Everything of the queue that retains, once more."""
    begin_ns = time.monotonic_ns()
    with Admin(world.cluster, world.keys) as admin:
        order = admin.past.order("rewind", KEPT, from_ms=0)
        states = [order, *admin.past.begin(order, admin.past.survey(order))]
        marks.replayed = sum(states[-1].moved.values())
    record.note("replay", begin_ns=begin_ns, end_ns=time.monotonic_ns(), queue=KEPT)


class Ticker:
    """Waits, keeps hosts up and the backlog in bounds, and says now and then how it goes."""

    def __init__(self, world: World, record: Record, say: Say, strikers: Sequence[Striker] = ()) -> None:
        self.world, self.record, self.say, self.strikers = world, record, say, strikers
        self.left = 0
        self._said_s = 0.0

    def until(self, end_s: float, what: str) -> None:
        while (now_s := time.monotonic()) < end_s:
            self.world.keep_up()
            rows = self.look()
            if now_s - self._said_s >= 5:
                self._said_s = now_s
                self.say(self._line(rows, what, end_s - now_s))
            time.sleep(max(0.0, min(1.0, end_s - time.monotonic())))

    def look(self) -> dict[str, Any] | None:
        """The queues; None while they can't be seen whole."""
        try:
            rows = inspect.queues(self.world.cluster, self.world.keys)
        except GangerError:
            return None
        self.left = sum(
            row[what] for row in rows.values() for what in ("ready", "parked", "later", "in_flight")
        )
        with suppress(OSError):
            if sum(row["ready"] for row in rows.values()) > MOST_WAITING:
                self.world.slow.touch()
            else:
                self.world.slow.unlink(missing_ok=True)
        return None if any(row["unreachable"] for row in rows.values()) else rows

    def _line(self, rows: dict[str, Any] | None, what: str, left_s: float) -> str:
        strikes = sum(striker.tally.count for striker in self.strikers)
        if rows is None:
            return f"{what}, {left_s:.0f} s to go, {strikes} strikes; not all servers can be seen"
        sums: dict[str, int] = defaultdict(int)
        for row in rows.values():
            for name, value in row["counters"].items():
                sums[name] += value
        done = f"{sums['enqueued']:,} pushed, {sums['succeeded']:,} done, {self.left:,} to do"
        badly = f"{sums['dead']:,} dead, {sums['lost']:,} lost deliveries"
        return f"{what}, {left_s:.0f} s to go, {strikes} strikes; {done}, {badly}"

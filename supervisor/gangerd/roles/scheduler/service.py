"""The scheduler's duties on one loop. Every scheduler seeks the leadership; only its holder does the rest.

    due jobs            each second, and to the moment       promotion
    expired leases      each second while any is suspect     recovery, judge
    effects owed        each second, and while there are any outbox, parcels, marks
    batches             each second some of them             batches
    what is paused      each other second                    pausing
    lanes               each other second                    laning
    partitions' keys    once each                            opening
    cron                each second, and to the tick         cron
    memos, dead letters each minute, and leases of the future upkeep
    consumers, entries  each hour                            upkeep, cron
    ended jobs          trimmed each minute                  retaining
    gauges              each second, with statsd only        gauges

Each duty asks for the leadership again before it acts, and forgets what it knew when it has been lost; but
for the judge, whose observations are its own and end by themselves when it does not look.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from ganger.cluster import Cluster
from ganger.durability import replicas_of
from ganger.errors import GangerError
from ganger.keys import Control, Partition
from gangerd import log
from gangerd.messages import Drain, Message
from gangerd.roles.loop import MS, LeaveLoop
from gangerd.roles.queues import Queues
from gangerd.roles.role import Role
from gangerd.roles.scheduler.batches import Batches
from gangerd.roles.scheduler.cron import CronDuty
from gangerd.roles.scheduler.deliveries import outbox_walk
from gangerd.roles.scheduler.gauges import Gauges
from gangerd.roles.scheduler.laning import Laning
from gangerd.roles.scheduler.leadership import Leadership
from gangerd.roles.scheduler.opening import Opening
from gangerd.roles.scheduler.pausing import Pausing
from gangerd.roles.scheduler.promotion import Promotion
from gangerd.roles.scheduler.recovery import Recovery
from gangerd.roles.scheduler.retaining import Retaining
from gangerd.roles.scheduler.upkeep import Steps, drop_consumers, sweep, trim_dead

ROUND_MS = 1_000
ROUND_S = 0.8
SWEEP_MS = 60_000
CONSUMERS_MS = 3_600_000
_logger = log.get()


def round_ms(lease_ms: int) -> int:
    """A lease is judged with a fifteenth of its length to spare; with the usual 15 s that is each second."""
    return min(ROUND_MS, max(lease_ms // 15, 20))


class Scheduler:
    def __init__(self, role: Role, cluster: Cluster) -> None:
        self._role = role
        self._cluster = cluster
        keys = Control(role.config.namespace)
        self._queues = Queues(cluster, keys)
        self._leadership = Leadership(cluster, keys, role.host)
        self._promotion = Promotion(cluster)
        self._recovery = Recovery(cluster, keys, role.config.lease_ms, random.Random())
        replicas = int(replicas_of(role.config.durability))
        self._outbox = outbox_walk(cluster, keys.namespace, replicas=replicas)
        self._batches = Batches(cluster, keys, self._outbox, role.config.statsd)
        self._pausing = Pausing(cluster, keys)
        self._laning = Laning(cluster)
        self._opening = Opening(cluster)
        self._cron = CronDuty(cluster, keys, self._queues, role.config)
        self._retaining = Retaining(keys)
        self._gauges = Gauges(role.config)
        self._steps = Steps()
        self._rounds = 0
        self._was_leader = False

    def begin(self) -> str:
        """Take up the duties; a line for status."""
        loop = self._role.loop
        loop.when_asked("promote", self._promote)
        loop.when_asked("step", self._step)
        loop.when_asked("outbox", self._deliver)
        loop.every("batches", ROUND_MS, self._look_at_batches, jitter=0.05)
        loop.every("round", round_ms(self._role.config.lease_ms), self._round, jitter=0.05)
        loop.when_asked("tick", self._tick)
        loop.every("cron", ROUND_MS, self._tick, jitter=0.05)
        trim = partial(trim_dead, config=self._role.config)
        loop.every("sweep", SWEEP_MS, lambda: self._upkeep("sweep", sweep), jitter=0.2)
        loop.every("trim", SWEEP_MS, lambda: self._upkeep("trim", trim), jitter=0.2)
        loop.every("retain", SWEEP_MS, lambda: self._upkeep("retain", self._retaining.steps), jitter=0.2)
        loop.every("consumers", CONSUMERS_MS, lambda: self._upkeep("consumers", drop_consumers), jitter=0.2)
        loop.every("forget", CONSUMERS_MS, lambda: self._upkeep("forget", self._cron.sweeping), jitter=0.2)
        return "seeks the leadership"

    def handle(self, message: Message) -> None:
        """A message of the master."""
        if isinstance(message, Drain):
            self._leadership.resign()
            self._gauges.close()
            self._batches.close()
            self._cron.close()
            self._cluster.close()
            raise LeaveLoop(0)
        _logger.warning(log.MESSAGE_UNEXPECTED, kind=type(message).__name__)

    def leads(self) -> bool:
        """Whether this is the leader now; what was known as one is forgotten when it is not any more."""
        held = self._leadership.held
        if self._was_leader and not held:
            self._promotion.forget()
            self._outbox.forget()
            self._pausing.forget()
            self._laning.forget()
            self._opening.forget()
            self._batches.forget()
            self._steps.forget()
            self._gauges.forget()
            self._cron.forget()
        self._was_leader = held
        return held

    # ---- duties ----------------------------------------------------------------------------------------

    def _round(self) -> None:
        self._leadership.seek()
        if not self.leads():
            return
        self._rounds += 1
        if self._rounds % 2 == 1:
            with contextlib.suppress(GangerError):  # those known before go on
                self._queues.refresh()
        partitions = self._queues.all()
        thorough = self._rounds % 2 == 1
        # A lease is watched from the first look that lists it: with nothing under watch, look half as often.
        self._run(partitions, leases=self._recovery.watches or thorough, thorough=thorough)
        if thorough and self.leads():
            self._mend_pauses()
            self._pay("lanes", self._laning.debts())
            self._opening.mend(partitions)

    def _run(self, partitions: Sequence[Partition], *, leases: bool, thorough: bool) -> None:
        """All looks of a round in one trip."""
        heard: list[Callable[[Partition, object, int], object]] = [self._promotion.heard, self._outbox.heard]
        commands = self._promotion.commands(partitions) + self._outbox.commands(partitions)
        if leases:
            heard.append(self._recovery.heard)
            commands += [self._recovery.command(partition) for partition in partitions]
        if thorough:
            heard += [self._pausing.heard, self._laning.heard]
            commands += [self._pausing.command(partition) for partition in partitions]
            commands += [self._laning.command(partition) for partition in partitions]
        if self._gauges.wanted:
            heard.append(self._gauges.heard)
            commands += [self._gauges.command(partition) for partition in partitions]
        replies = self._cluster.run_many(commands, deadline_s=ROUND_S)
        now_ns = time.monotonic_ns()
        for number, hear in enumerate(heard):
            part = replies[number * len(partitions) : (number + 1) * len(partitions)]
            for partition, reply in zip(partitions, part, strict=True):
                if not self.leads():
                    return
                try:
                    hear(partition, reply, now_ns)
                except GangerError:
                    continue  # next second
        self._gauges.send()
        self._arm()
        self._walk_on()

    def _mend_pauses(self) -> None:
        self._pay("debts", self._pausing.debts())
        with contextlib.suppress(GangerError):  # two seconds later again
            self._pausing.mend()

    def _pay(self, name: str, debts: Iterator[Callable[[], object]] | None) -> None:
        if debts is not None:
            self._steps.start(f"{name} {self._rounds}", debts)
            self._role.loop.soon("step")

    def _promote(self) -> None:
        if self.leads():
            self._promotion.promote_due(time.monotonic_ns())
            self._arm()

    def _tick(self) -> None:
        if self.leads():
            wait_ms = self._cron.round()
            if wait_ms is not None:
                self._role.loop.soon("tick", wait_ms)

    def _arm(self) -> None:
        next_ns = self._promotion.next_ns()
        if next_ns is not None:
            self._role.loop.soon("promote", max(0.0, (next_ns - time.monotonic_ns()) / MS))

    def _deliver(self) -> None:
        if self.leads():
            self._outbox.step()
            self._walk_on()

    def _look_at_batches(self) -> None:
        if self.leads():
            with contextlib.suppress(GangerError):  # the list can't be read: the next second
                self._batches.look()
            self._walk_on()

    def _walk_on(self) -> None:
        wanted_ms = self._outbox.next_in_ms()
        if wanted_ms is not None:
            self._role.loop.soon("outbox", wanted_ms)

    def _upkeep(self, name: str, work: Callable[..., object]) -> None:
        if self.leads():
            self._steps.start(name, work(self._cluster, self._queues.all()))  # type: ignore[arg-type]
            self._role.loop.soon("step")

    def _step(self) -> None:
        if self.leads() and self._steps.step():
            self._role.loop.soon("step", 20)

"""The worker: claim, perform, settle, straight to Redis, one job at a time. The template calls `main` after
its second fork.

It is told what to do by one control word in its page, seen before each claim and each start; a message on
its channel or a ring of the doorbell only ends its sleep. It stops claiming by itself when the coordinator
has not renewed leases for STALE_NS: what it holds would soon be taken for lost."""

import contextlib
import os
import signal
import sys
import time

from ganger import hooks
from ganger.cluster import Cluster
from ganger.config import parse_redis_url
from ganger.durability import replicas_of
from ganger.errors import GangerError
from ganger.keeping import Keeper
from gangerd import application, log, messages
from gangerd.board import Board
from gangerd.linux import doorbell, signals
from gangerd.linux.channel import Channel, Closed
from gangerd.linux.shared_memory import map_region
from gangerd.page import PageWriter
from gangerd.passes import Passes
from gangerd.recorder import (
    BOARD_BYTES,
    HEADER_BYTES,
    PAGE_BYTES,
    Control,
    HeaderWord,
    Phase,
    Word,
    page_offset,
)
from gangerd.worker.allowance import Allowance
from gangerd.worker.birth import Birth
from gangerd.worker.costs import Costs
from gangerd.worker.cradle import HookFailed, settle_in
from gangerd.worker.fetch import MOST, Fetch
from gangerd.worker.hand import Hand
from gangerd.worker.perform import Performer
from gangerd.worker.pocket import Pocket
from gangerd.worker.prepare import prepare
from gangerd.worker.report import Report
from gangerd.worker.sight import Sight, Target
from gangerd.worker.sorting import Sorter
from gangerd.worker.turn import Turn

__all__ = ["main", "prepare"]

STALE_NS = 10_000_000_000
SLEEP_S = 1.0
"""The longest sleep of an idle worker: a look at the coordinator's stamp, no more."""
SILENT_NS = 2_500_000_000
"""A coordinator that has not stamped for so long rings nobody: workers look for themselves until it is
replaced."""
PATROL = 24
"""Partitions tried by a worker on each of these rounds."""
REDIS_AWAY_S = 0.2
_RENEWED_AT_NS = int(HeaderWord.RENEWED_AT_NS)
_MAY_CLAIM, _RETIRE, _YIELD = int(Control.MAY_CLAIM), int(Control.RETIRE), int(Control.YIELD)


def main(birth: Birth) -> int:
    """The worker's life, in the forked child; the exit code. Never returns into the template's frames'
    cleanup: the caller leaves by os._exit."""
    alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    retired = [False]

    def retire() -> None:
        retired[0] = True
        os.eventfd_write(alarm, 1)

    try:
        channel = settle_in(birth, retire)
    except HookFailed:
        return 1
    if channel is None:
        return 0
    return Worker(birth, channel, alarm, retired).run()


class Worker:
    def __init__(
        self, birth: Birth, channel: Channel[messages.Message], alarm: int, retired: list[bool]
    ) -> None:
        self._birth = birth
        self._channel = channel
        self._alarm = alarm
        self._retired = retired
        self._header = memoryview(map_region(birth.recorder_fd, 0, HEADER_BYTES, writable=False)).cast("Q")
        shared = memoryview(map_region(birth.recorder_fd, HEADER_BYTES, BOARD_BYTES))
        self._board = Board(shared)
        self._pocket = Pocket(Passes(shared, birth.recorder_fd), birth.slot, birth.incarnation)
        self._slots = self._header[HeaderWord.SLOTS]
        page_memory = map_region(birth.recorder_fd, page_offset(birth.slot), PAGE_BYTES)
        self._page = PageWriter(memoryview(page_memory))
        self._page.begin(birth.incarnation, os.getpid(), birth.generation, time.monotonic_ns())
        self._hand = Hand(self._page, birth.recorder_fd, birth.slot)
        self._turn = Turn(birth.recorder_fd, self._page)
        config = birth.config
        pocket = self._pocket
        self._sight = Sight(
            self._board, config.namespace, config.strict_order, pocket.admits, pocket.admits_to_lane
        )
        self._costs = Costs()
        self._cluster = connect(birth)
        self._fetch = Fetch(self._cluster, self._page, self._hand, birth.host, birth.incarnation)
        self._sorter = Sorter(self._cluster)
        self._sleeper = doorbell.Sleeper(birth.doorbell_fd, [channel.fileno(), alarm])
        report = Report(
            self._cluster,
            self._page,
            self._hand,
            birth.host,
            birth.config.host,
            birth.incarnation,
            birth.config.max_result_bytes,
            lambda pause_s: self._read(self._sleeper.wait(pause_s)),
        )
        keeper = Keeper(
            self._cluster,
            birth.host,
            lambda error: log.get().warning(log.REDIS_DOWN, what="progress", error=str(error)),
            replicas=int(replicas_of(birth.config.durability)),
        )
        most = birth.config.memory_max_bytes
        memory = Allowance(birth.leaf, most, above_warm=birth.import_app, own_process=True)
        self._page.words[Word.PEAKS_ARE_RUNS] = memory.peaks_are_runs
        self._performer = Performer(
            self._page, self._hand, self._costs, report, keeper, birth.slot, most or 0, memory
        )
        signal.signal(signals.SOFT_TIMEOUT_SIGNAL, self._performer.soft.knock)

    def run(self) -> int:
        """Claim, perform, sleep, until told to retire; then give back what was not started, and leave."""
        reason = "retired"
        try:
            while not self._retiring():
                if self._page.control() & _YIELD and self._turn.take():
                    reason = "a newer generation has its place"
                    break
                target = self._sight.next() if self._may_claim() else None
                if target is not None:
                    if (place := self._admitted(target)) is not None:
                        self._visit(place)
                    else:
                        self._sight.passed_over()
                    continue
                self._pocket.spend()
                self._sleep()
                if self._coordinator_silent():
                    self._patrol()
        except Closed:
            reason = "the master is gone"
        return self._leave(reason)

    def _admitted(self, target: Target) -> Target | None:
        """Where to claim, with the pass for it in hand; None when others were quicker."""
        if not target.laned:
            return target if self._pocket.admitted(target.line) else None
        track = self._pocket.admitted_to_lane(target.line)
        return self._sight.at(target, track) if track is not None else None

    def _visit(self, target: Target) -> int:
        """Claim there, and perform what it brings; how many."""
        most = self._pocket.draw(MOST)
        try:
            entries = self._fetch.trip(target, self._sight, self._costs, most)
        except GangerError as error:
            self._pocket.spend()
            self._redis_away(error)
            return 0
        self._pocket.put_back(most - len(entries))
        if target.laned and not self._fetch.more:
            self._pocket.saw_last()
        if self._fetch.unsorted and not self._sort(target) and not self._fetch.more:
            self._sight.drained(target, 0)
        if self._fetch.more and target.line < 0:  # of a limited queue the coordinator wakes others
            self._wake_another()
        if entries:
            self._perform(len(entries))
        else:
            self._pocket.spend()
        return len(entries)

    def _sort(self, target: Target) -> int:
        """Jobs wait there for their lane to be worked out; how many are sorted now. None: others know their
        rules, or Redis is away; the next poll sends us again. Crash point: they go on waiting."""
        try:
            return self._sorter.sort(target.partition, target.keys)
        except GangerError as error:
            log.get().warning(log.REDIS_DOWN, what="lanes", error=str(error))
            return 0

    def _patrol(self) -> None:
        """Nobody rings: look for work without a sign of it, a stretch at a time."""
        for target in self._sight.patrol(PATROL):
            while not self._retiring() and self._may_claim() and self._visit(target) and self._fetch.more:
                pass

    def _coordinator_silent(self) -> bool:
        return time.monotonic_ns() - self._header[HeaderWord.COORDINATOR_AT_NS] > SILENT_NS

    def _perform(self, count: int) -> None:
        """One after the other, until one must not be started any more: we retire, its lease may be another's
        by now, or the time of our pass is over. What is left goes back."""
        self._page.enter(Phase.RUNNING, time.monotonic_ns())
        limited = self._pocket.line >= 0
        for index in range(count):
            if self._retiring() or self._leases_stale() or (limited and not self._pocket.may_start()):
                self._pocket.put_back(count - index)
                self._give_back()
                return
            self._performer.perform(index)

    def _give_back(self) -> None:
        """What was not started. Crash point: taken and not released, it stands as TAKEN on the page, and the
        coordinator releases it from there; so does our death's settling."""
        self._hand.take_back()
        with contextlib.suppress(GangerError):
            self._fetch.release_taken()

    def _retiring(self) -> bool:
        return bool(self._page.control() & _RETIRE) or self._retired[0]

    def _may_claim(self) -> bool:
        if not self._page.control() & _MAY_CLAIM:
            return False
        return not self._leases_stale()

    def _leases_stale(self) -> bool:
        return time.monotonic_ns() - self._header[_RENEWED_AT_NS] > STALE_NS

    def _wake_another(self) -> None:
        """There is more than this worker took: the next sleeper may have it."""
        if self._board.anyone_idle(self._header[HeaderWord.SLOTS]):
            doorbell.ring(self._birth.doorbell_fd)

    def _sleep(self) -> None:
        """Sleep at the doorbell. The idle byte goes up before the last look at the board: whoever signals
        later sees a sleeper to ring for."""
        self._fetch.recall()
        self._fetch.settle(last=False)
        self._performer.rest()
        self._page.enter(Phase.IDLE, time.monotonic_ns())
        self._board.set_idle(self._birth.slot, True)
        try:
            if not (self._may_claim() and self._sight.anything()) and not self._retiring():
                self._read(self._sleeper.wait(0.5 if self._hand.done else SLEEP_S))
        finally:
            self._board.set_idle(self._birth.slot, False)

    def _read(self, woken: doorbell.Woken) -> None:
        if self._channel.fileno() in woken.readable:
            self._channel.receive()  # a Wake says only: look at the control word
        if self._alarm in woken.readable:
            os.eventfd_read(self._alarm)

    def _redis_away(self, error: GangerError) -> None:
        """The transport has retried as long as it may; the coordinator silences a partition out of reach."""
        log.get().warning(log.REDIS_DOWN, error=str(error))
        self._read(self._sleeper.wait(REDIS_AWAY_S))

    def _leave(self, reason: str) -> int:
        """Crash point: whatever can't be settled now stands in the page, and the host settles it from
        there."""
        self._page.enter(Phase.LEAVING, time.monotonic_ns())
        self._pocket.spend()
        try:
            self._hand.take_back()
            self._fetch.release_taken()
            self._fetch.recall(last=True)
            self._fetch.settle()
            if not self._hand.done:
                self._page.hold([], [], time.monotonic_ns())
            self._channel.send(messages.Leaving(self._birth.incarnation, reason))
        except (GangerError, Closed) as error:
            log.get().warning(log.REDIS_DOWN, error=str(error))
        # After everything that others wait for, and whether or not Redis was there to be told.
        for raised in hooks.run_stop():
            log.get().error(log.HOOK_FAILED, error=application.sentence(raised))
        self._cluster.close()
        sys.stdout.flush()
        return 0


def connect(birth: Birth) -> Cluster:
    """This process's own way to Redis; nothing is sent yet."""
    config = birth.config
    return Cluster(parse_redis_url(config.redis_url()))

"""A worker without a host, in the process of a test: the parts of loop.py on memory of their own.

It claims, performs and settles as every worker does, and failures go the way of their policy. What master
and coordinator do about a job is not there: soft timeouts of plain handlers, hard ones, deaths. practice.py
calls, from one thread at a time."""

import asyncio
import os
import secrets
import time
from dataclasses import dataclass

from ganger import inspect
from ganger.cluster import Cluster
from ganger.job import Entry
from ganger.keeping import Keeper
from ganger.keys import Control, Partition
from ganger.operations import schedule
from ganger.retry import Policy
from ganger.testing import MOST, EndlessDrain
from gangerd.board import Board
from gangerd.errors import BlockingInLoop
from gangerd.linux import title
from gangerd.linux.shared_memory import anonymous, map_region
from gangerd.page import PageWriter
from gangerd.recorder import BOARD_BYTES, HEADER_BYTES, PAGE_BYTES, Counter, file_bytes, page_offset
from gangerd.worker.allowance import NOTHING, Told
from gangerd.worker.costs import Costs
from gangerd.worker.fetch import Fetch
from gangerd.worker.hand import Hand
from gangerd.worker.perform import Performer
from gangerd.worker.report import Report
from gangerd.worker.sight import Sight, Target

HOST = "test"
MAX_RESULT_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Run:
    """An attempt that was made, and what it raised, if anything."""

    jid: str
    type: str
    attempt: int
    error: BaseException | None


class Solo:
    def __init__(self, cluster: Cluster, namespace: str) -> None:
        me, consumer = secrets.token_hex(8), secrets.token_hex(8)
        self._cluster = cluster
        self._control = Control(namespace)
        self._fd = fd = anonymous("recorder", file_bytes(1))
        self._page = PageWriter(memoryview(map_region(fd, page_offset(0), PAGE_BYTES)))
        self._page.begin(me, os.getpid(), 1, time.monotonic_ns())
        self._sight = Sight(Board(memoryview(map_region(fd, HEADER_BYTES, BOARD_BYTES))), namespace)
        self._hand = Hand(self._page, fd, 0)
        self._costs = Costs()
        self._fetch = Fetch(cluster, self._page, self._hand, consumer, me)
        self._report = _Listening(
            cluster, self._page, self._hand, consumer, HOST, me, MAX_RESULT_BYTES, time.sleep
        )
        keeper = Keeper(cluster, consumer, lambda error: None)
        self._performer = Performer(self._page, self._hand, self._costs, self._report, keeper, 0, 0)

    def perform_all(self, most: int = MOST) -> list[Run]:
        """Run what is ready and what is due, also what these jobs push, until nothing is left. Raises
        EndlessDrain after `most` runs."""
        _refuse_in_loop()
        before = title.shown()
        runs: list[Run] = []
        try:
            while self._round(runs, most):
                pass
            self._fetch.settle()
        finally:
            title.set_title(before)
        return runs

    def close(self) -> None:
        self._performer.close()
        os.close(self._fd)

    def _round(self, runs: list[Run], most: int) -> bool:
        """Through all partitions once; whether anything ran."""
        known = inspect.all_partitions(self._cluster, self._control).values()
        count = len(runs)
        for index, partition in enumerate(partition for group in known for partition in group):
            schedule.promote(self._cluster, partition)
            self._visit(Target(index, partition, 0), runs, most)
        return len(runs) > count

    def _visit(self, target: Target, runs: list[Run], most: int) -> None:
        while True:
            entries = self._fetch.trip(target, self._sight, self._costs)
            for number, entry in enumerate(entries):
                if len(runs) >= most:
                    raise EndlessDrain(_endless(most, entry, target.partition))
                self._run(number, entry, runs)
            if not self._fetch.more:
                return

    def _run(self, number: int, entry: Entry, runs: list[Run]) -> None:
        self._report.error = None
        started = self._page.counters[Counter.STARTED]
        self._performer.perform(number)
        error = self._report.error
        if self._page.counters[Counter.STARTED] > started:
            runs.append(Run(entry.jid, entry.type, entry.state.attempt, error))
        if isinstance(error, KeyboardInterrupt):
            raise error


class _Listening(Report):
    """Tells the test what an attempt raised."""

    error: BaseException | None = None

    def failed(
        self,
        index: int,
        entry: Entry,
        policy: Policy,
        error: BaseException,
        ran_ms: int,
        told: Told = NOTHING,
    ) -> None:
        self.error = error
        super().failed(index, entry, policy, error, ran_ms, told)


def _refuse_in_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise BlockingInLoop(
        "perform_all runs jobs to their ends: from a coroutine, await asyncio.to_thread(server.perform_all)."
    )


def _endless(most: int, entry: Entry, partition: Partition) -> str:
    return (
        f"{most} jobs were run, and more wait, {entry.type} in queue {partition.queue} among them: does a"
        " handler push its own type again? Say `most` to allow more."
    )

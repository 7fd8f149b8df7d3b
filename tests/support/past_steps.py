"""The steps of the walk of crashes that go over a queue's past: rewind, skip, and the undo of both."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from ganger.command import Command
from ganger.operations import replay
from ganger.operations.replay import Choice
from support.crashing import CrashingCluster
from support.keyspace import MAIL
from support.model import Place

EVER_MS = 1 << 45


class PastSteps:
    """A mixin of CrashWalk. `over`: where a job is that has ended, the log of a partition that retains."""

    cluster: CrashingCluster
    rng: Random
    act: Callable[[Callable[[], Any], dict[str, Iterable[str]]], None]
    of: Callable[[str], list[str]]
    aside: Callable[[], list[str]]
    places: dict[str, Place]

    def __init__(self) -> None:
        self.over = "gone"
        self._runs = 0
        self._rewinds: list[str] = []
        self._skips: list[str] = []

    def retain(self) -> None:
        """From now on ended jobs are kept."""
        self.over = "log"
        words = ("HSET", MAIL.meta, "retain", "0|100000", "careful", "1")
        self.cluster.run(Command(MAIL.slot, words))

    def _run(self, runs: list[str]) -> str:
        self._runs += 1
        runs.append(f"run{self._runs}")
        return runs[-1]

    def rewind(self) -> None:
        run, choice = self._run(self._rewinds), Choice(0, EVER_MS)
        command = replay.replay_command(MAIL, run, choice, limit=1000)
        self.act(lambda: self.cluster.run(command), dict.fromkeys(self.of("log"), ("waiting",)))

    def undo_rewind(self) -> None:
        """Of those that wait some are this run's; which they are, the walk over the past alone knows."""
        if self._rewinds:
            run = self._rewinds.pop(self.rng.randrange(len(self._rewinds)))
            waiting = self.of("waiting") + self.aside()
            self.act(
                lambda: [
                    self.cluster.run(replay.undo_command(MAIL, stream, run, "log"))
                    for stream in range(replay.PARKED + 1)
                ],
                {jid: (self.places[jid].what, "log") for jid in waiting},
            )

    def skip(self) -> None:
        if self.rng.random() < 0.5:
            run = self._run(self._skips)
            waiting = self.of("waiting") + self.aside()
            self.act(
                lambda: [
                    self.cluster.run(replay.skip_command(MAIL, stream, run, EVER_MS))
                    for stream in range(replay.PARKED + 1)
                ],
                # Whoever dies half-way has skipped some streams: the repeat does the others.
                dict.fromkeys(waiting, (self.over,)),
            )

    def undo_skip(self) -> None:
        if self._skips:
            run = self._skips.pop(self.rng.randrange(len(self._skips)))
            command = replay.unskip_command(MAIL, run, limit=1000)
            self.act(lambda: self.cluster.run(command), dict.fromkeys(self.of("log"), ("log", "waiting")))

"""The demo from first to last: push the library and the saboteurs, watch, hold it all against what must be.

stage.py has the supervisor, verdict.py the judgement, tables.py the printing. Producer and observer are this
one process, through the public interface of the engine."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ganger.config import EngineConfig
from gangerd.demo import verdict
from gangerd.demo.observer import Observer
from gangerd.demo.sources import Results, library
from gangerd.demo.stage import Stage

BATCH = 250
LOOK_S = 0.5
# Nothing new for so long: what is missing will not come any more.
STALLED_S = 30.0


class Audience(Protocol):
    """Who is told how it goes."""

    def pushed(self, count: int) -> None: ...
    def progress(self, done: int) -> None: ...
    def death(self, crash: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Review:
    """What the demo saw, and what is wrong with it (nothing: the demo shows what it promises)."""

    outcome: verdict.Outcome
    lines: list[dict[str, Any]]
    took_s: float
    wrong: list[str]


class Play:
    """One performance in `directory`."""

    def __init__(self, directory: Path, stage: Stage, audience: Audience, *, limit: int | None) -> None:
        self._stage = stage
        self._audience = audience
        self._files = library(limit)
        self._results = Results(directory / "results.jsonl")
        self._saboteurs: dict[str, str] = {}
        self._told: set[tuple[str, int]] = set()

    @property
    def files(self) -> int:
        return len(self._files)

    def perform(self) -> Review:
        """Raises DemoFailed when the supervisor can't be started or ends by itself."""
        observer: Observer | None = None
        try:
            with _environment(self._stage.start()):
                observer = Observer(EngineConfig.discover())
                began = time.monotonic()
                self._push()
                self._watch(observer)
                took_s = time.monotonic() - began
                outcome = self._outcome(observer)
        finally:
            status = self._stage.stop()
            if observer is not None and not self._stage.own_servers:
                observer.clear()
        # Whatever the drain still ran shows here as a file indexed twice.
        self._results.refresh()
        outcome = replace(outcome, indexed=[line["number"] for line in self._results.lines])
        wrong = verdict.judge(outcome)
        if status != 0:
            wrong.append(f"the supervisor ended with status {status} and not in order")
        return Review(outcome, self._results.lines, took_s, wrong)

    def _push(self) -> None:
        """The files in batches, a saboteur after each quarter."""
        from gangerd.demo import jobs

        saboteurs = {"segfault": jobs.segfault, "eat_memory": jobs.eat_memory, "hang": jobs.hang}
        quarters = [self.files * quarter // 4 for quarter in (1, 2, 3)]
        waiting = list(zip(quarters, saboteurs.items(), strict=True))
        for start in range(0, self.files, BATCH):
            batch = self._files[start : start + BATCH]
            rows = [(str(path), start + i, str(self._results.path)) for i, path in enumerate(batch)]
            jobs.index.push_many(rows)
            while waiting and waiting[0][0] <= start + len(batch):
                _, (name, saboteur) = waiting.pop(0)
                self._saboteurs[name] = saboteur.push()
            self._audience.pushed(start + len(batch))

    def _watch(self, observer: Observer) -> None:
        """Until everything has come to its end, or nothing more happens."""
        seen: Any = None
        changed = next_look = time.monotonic()
        while time.monotonic() - changed < STALLED_S:
            self._stage.check()
            done = self._results.refresh()
            self._audience.progress(done)
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + LOOK_S
                crashes, dead, left = self._look(observer)
                if done >= self.files and len(dead) >= len(self._saboteurs) and not left:
                    return
                now = (done, len(crashes), len(dead), left)
                if now != seen:
                    seen, changed = now, time.monotonic()
            time.sleep(0.05)

    def _look(self, observer: Observer) -> tuple[list[dict[str, Any]], list[str], int]:
        crashes = observer.crashes()
        for crash in reversed(crashes):
            key = (crash["jid"], crash["at_ms"])
            if key not in self._told:
                self._told.add(key)
                self._audience.death(crash)
        return crashes, observer.dead(), observer.left()

    def _outcome(self, observer: Observer) -> verdict.Outcome:
        crashes, dead, left = self._look(observer)
        return verdict.Outcome(
            files=self.files,
            indexed=(),
            saboteurs=self._saboteurs,
            crashes=crashes,
            dead=dead,
            totals=observer.totals(),
            left=left,
        )


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """The settings in the environment, where the engine of this process looks for them, and nowhere else."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

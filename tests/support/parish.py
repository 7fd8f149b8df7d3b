"""A graveyard for tests: workers of a real stage that die, and the undertaker who buries them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gangerd.board import Line
from gangerd.master.burial import Burial, Undertaker
from gangerd.master.children import Child
from gangerd.master.deaths import Deaths
from gangerd.master.endings import Endings
from gangerd.master.memory_watch import MemoryWatch
from gangerd.messages import Death
from support.puppets import S, Script, Stage, stage

MASTER = "00000000000000aa"


@dataclass
class Parish:
    stage: Stage
    endings: Endings
    memory: MemoryWatch
    deaths: Deaths
    undertaker: Undertaker
    run_dir: Path

    def fork(self, script: Script, slot: int = 0) -> Child:
        child = self.stage.fork(slot, script)
        child.served_ns = child.since_ns - 3 * S
        self.memory.born(child, 0)
        return child

    def bury(self, child: Child) -> Burial:
        reaped = self.stage.reap(child.slot)
        return self.undertaker.bury(child, reaped, at_ms=1_700_000_000_123, now_ns=time.monotonic_ns())

    def die(self, script: Script) -> Death:
        """A worker lives by the script and dies; its death."""
        burial = self.bury(self.fork(script))
        assert burial.death is not None and burial.cause == burial.death.cause
        assert burial.in_job == (burial.death.running is not None)
        return burial.death


@contextmanager
def parish_at(tmp_path: Path) -> Iterator[Parish]:
    with stage(tmp_path, slots=2, incarnation=MASTER) as made:
        board = made.recorder.board
        board.write_directory([Line("mail", 12, 1), Line("video", 6, 1)])
        seats = made.recorder.seats
        deaths = Deaths(tmp_path / "deaths")
        deaths.load()
        endings, memory = Endings(seats), MemoryWatch(seats, None)
        undertaker = Undertaker(
            seats,
            consumer=MASTER,
            endings=endings,
            memory=memory,
            board=board,
            deaths=deaths,
            run_dir=tmp_path,
            host="h1",
        )
        yield Parish(made, endings, memory, deaths, undertaker, tmp_path)
        undertaker._autopsy._kernel_log.close()

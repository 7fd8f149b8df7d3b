"""The same jobs in workers that note, a thousand times per second of their CPU time, which module's line
runs.

What a signal handler sees is the innermost Python frame: time in C, sending to a socket say, is its
caller's."""

import collections
import json
import os
import signal
from pathlib import Path
from types import FrameType

from ganger import on_worker_start, on_worker_stop
from gangerd.bench.apps.jobs import noop

__all__ = ["noop"]

PLACE = "GANGER_BENCH_SAMPLES"
_seen: collections.Counter[str] = collections.Counter()


def _note(number: int, frame: FrameType | None) -> None:
    if frame is not None:
        _seen[f"{frame.f_globals.get('__name__', '')}:{frame.f_code.co_name}"] += 1


@on_worker_start
def begin() -> None:
    _seen.clear()
    signal.signal(signal.SIGPROF, _note)
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)


@on_worker_stop
def tell() -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)
    Path(os.environ[PLACE], f"{os.getpid()}.json").write_text(json.dumps(_seen))

"""An application whose jobs take memory, and give it back or not. Each notes its begin and its end."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ganger import current, job
from support.journal import noted

MB = 1 << 20
QUEUE = "memory"
_kept: list[bytearray] = []


@contextmanager
def _noted() -> Iterator[None]:
    now = current()
    with noted(now.jid, now.attempt, now.type):
        yield


@job(queue=QUEUE)
def small(number: int) -> None:
    with _noted():
        assert number >= 0


@job(queue=QUEUE)
def keeps(megabytes: int) -> None:
    """What it took stays in its worker."""
    with _noted():
        _kept.append(bytearray(b"x") * (megabytes * MB))


@job(queue=QUEUE, retry=0, dead=True, memory=48 * MB)
def modest(megabytes: int) -> None:
    with _noted():
        take(megabytes)


@job(queue=QUEUE, retry=0, dead=True, memory=400 * MB)
def hungry(megabytes: int) -> None:
    with _noted():
        take(megabytes)


@job(queue=QUEUE, retry=0, dead=True, memory=64 * MB)
def child_eats(megabytes: int) -> None:
    """It is a child of this job that takes the memory, and the job that tells."""
    with _noted():
        eater = f"open('/proc/self/oom_score_adj', 'w').write('1000'); x = b'x' * ({megabytes} << 20)"
        subprocess.run([sys.executable, "-c", eater], check=True)


@job(queue=QUEUE)
def leaves_a_child() -> None:
    """A process of its own that nobody waits for."""
    with _noted():
        subprocess.Popen(["sleep", "3600"], stdin=subprocess.DEVNULL)


@job(queue=QUEUE, retry=0, dead=True)
def grows(megabytes: int) -> None:
    """So much at once, and then on, slow enough for somebody who looks twice a second."""
    with _noted():
        taken = [bytearray(b"x") * (megabytes * MB)]
        while len(taken) < 400:
            taken.append(bytearray(b"x") * MB)
            time.sleep(0.04)


def take(megabytes: int) -> None:
    """Step by step, and let go of it."""
    taken = [bytearray(b"x") * MB for _ in range(megabytes)]
    assert len(taken) == megabytes

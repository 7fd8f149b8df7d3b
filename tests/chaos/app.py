"""The application of a chaos run: a handler for each kind of job, which notes when it begins and how it ends.

The notes go to files (journal.py), never through Redis or anything that is examined. Waits are short: the run
is about what happens between them.
"""

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager

from chaos.journal import Pen
from chaos.kinds import AFTER_S, BULK, BY_NAME, DUE, KEPT, NARROW, ODD
from ganger import Cron, current, job

_pen = Pen("runs")
_LONG = {"timeout": 60, "retry": 25, "backoff": AFTER_S}


@contextmanager
def _noted(extra: object = "-") -> Iterator[int]:
    """Around a handler's work; gives the number of the attempt."""
    now = current()
    assert now.entry is not None
    entry, code = now.entry.id.decode(), BY_NAME[now.type].code
    at = f"{time.monotonic_ns()} {time.time_ns() // 1_000_000}"
    _pen.write(f"B {now.jid} {now.attempt} {entry} {at} {code} {extra}")
    try:
        yield now.attempt
    except BaseException:
        _pen.write(f"R {now.jid} {entry} {time.monotonic_ns()}")
        raise
    _pen.write(f"E {now.jid} {entry} {time.monotonic_ns()}")


@job(name="noop", queue=BULK, **_LONG)
def noop() -> None:
    with _noted():
        pass


@job(name="works", queue=BULK, **_LONG)
def works(ms: float) -> None:
    with _noted():
        time.sleep(ms / 1000)


@job(name="flaky", queue=ODD, **_LONG)
def flaky() -> None:
    """Fails twice, after a moment in which much may happen to it."""
    with _noted() as attempt:
        time.sleep(0.04)
        if attempt < 3:
            raise ValueError("not yet")


@job(name="lingers", queue=ODD, **_LONG)
def lingers(s: float) -> None:
    """Takes seconds, so that whatever stops a host stops it in the middle of one, and then fails once: what a
    host wants that comes back after its lease is refused."""
    with _noted() as attempt:
        time.sleep(s)
        if attempt == 1:
            raise ValueError("not yet")


@job(name="segfaults", queue=ODD, **_LONG)
def segfaults() -> None:
    """Kills its first worker."""
    with _noted() as attempt:
        if attempt == 1:
            ctypes.string_at(0)


@job(name="too_slow", queue=ODD, retry=25, backoff=AFTER_S, timeout=0.4, grace=5)
def too_slow() -> None:
    """Is interrupted at its first attempt."""
    with _noted() as attempt:
        while attempt == 1:
            time.sleep(0.01)


@job(name="hangs", queue=ODD, retry=25, backoff=AFTER_S, timeout=0.4, grace=0.3)
def hangs() -> None:
    """Is killed at its first attempt: it waits in C, with the GIL held."""
    with _noted() as attempt:
        if attempt == 1:
            libc, mutex = ctypes.PyDLL(None), (ctypes.c_char * 64)()
            libc.pthread_mutex_lock(mutex)
            libc.pthread_mutex_lock(mutex)


@job(name="hopeless", queue=ODD, retry=1, backoff=AFTER_S)
def hopeless() -> None:
    """Never succeeds, and is gone."""
    with _noted():
        raise ValueError("it can't be done")


@job(name="doomed", queue=ODD, retry=1, backoff=AFTER_S, dead=True)
def doomed() -> None:
    """Never succeeds, and is kept."""
    with _noted():
        raise ValueError("it can't be done")


@job(name="member", queue=ODD, **_LONG)
def member(batch: int) -> None:
    with _noted(current().batch_id):
        time.sleep(0.001)


@job(name="all_ended", queue=ODD, **_LONG)
def all_ended() -> None:
    with _noted(current().batch_id):
        pass


@job(name="all_succeeded", queue=ODD, **_LONG)
def all_succeeded() -> None:
    with _noted(current().batch_id):
        pass


@job(name="delayed", queue=DUE, **_LONG)
def delayed() -> None:
    with _noted():
        pass


@job(name="expires", queue=DUE, **_LONG)
def expires() -> None:
    with _noted():
        time.sleep(0.002)


@job(name="unwanted", queue=DUE, **_LONG)
def unwanted() -> None:
    with _noted():
        pass


@job(name="single", queue=DUE, unique_for=3600, **_LONG)
def single(key: int) -> None:
    """The only one of its key."""
    with _noted(key):
        time.sleep(0.05)


@job(name="ticks", queue=DUE, cron=Cron("* * * * *", name="each-minute"), **_LONG)
def ticks() -> None:
    with _noted(current().headers.get("cron-tick-ms", "-")):
        pass


@job(name="narrow", queue=NARROW, **_LONG)
def narrow(ms: float) -> None:
    """Of a queue with a limit."""
    with _noted():
        time.sleep(ms / 1000)


@job(name="kept", queue=KEPT, track=60, **_LONG)
def kept(number: int) -> int:
    """Of a queue that retains, with a result."""
    with _noted():
        return number

"""Jobs that do nothing, sleep, tell when they began, or die. Each option of which the cost is measured has
a queue of its own: a labelled job makes its partitions careful for all others."""

import os
import time

from ganger import job

_files: dict[str, int] = {}


@job(name="bench.noop", queue="bench")
def noop() -> None:
    pass


@job(name="bench.nap", queue="bench")
def nap(seconds: float) -> None:
    time.sleep(seconds)


@job(name="bench.long", queue="bench")
def long(seconds: float) -> None:
    time.sleep(seconds)


@job(name="bench.tracked", queue="tracked", track=60)
def tracked() -> None:
    pass


@job(name="bench.unique", queue="unique", unique_for=600)
def unique(number: int) -> None:
    pass


@job(name="bench.laned", queue="laned")
def laned() -> None:
    pass


@job(name="bench.keyed", queue="keyed")
def keyed(tenant: int) -> None:
    pass


@job(name="bench.fails", queue="bench", retry=3, backoff=3600)
def fails() -> None:
    raise ValueError("as it is meant to")


@job(name="bench.began", queue="bench")
def began(path: str, pushed_ns: int, seconds: float = 0.0) -> None:
    """Its wait from before the push to here, in ns, as a line of the file; then it sleeps."""
    _write(path, f"{time.monotonic_ns() - pushed_ns} {time.monotonic_ns()}\n")
    if seconds:
        time.sleep(seconds)


@job(name="bench.die", queue="bench", retry=0)
def die(path: str) -> None:
    _write(path, f"{time.monotonic_ns()}\n")
    os.kill(os.getpid(), 9)


def _write(path: str, line: str) -> None:
    fd = _files.get(path)
    if fd is None:
        fd = _files[path] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, line.encode())

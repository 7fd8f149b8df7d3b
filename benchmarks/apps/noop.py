"""Jobs that do nothing, and one that tells when it began."""

import os
import time

from ganger import job


@job(name="bench.noop", queue="bench")
def noop() -> None:
    pass


@job(name="bench.began", queue="bench")
def began(path: str, pushed_ns: int) -> None:
    line = f"{time.monotonic_ns() - pushed_ns} {os.getpid()}\n".encode()
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, line)
    os.close(fd)


@job(name="bench.die", queue="bench", retry=0)
def die(path: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, f"{time.monotonic_ns()} {os.getpid()}\n".encode())
    os.close(fd)
    os.kill(os.getpid(), 9)

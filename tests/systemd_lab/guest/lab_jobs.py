"""The application under supervision: jobs that note when they begin and end."""

import os
import time
from pathlib import Path

from ganger import current, job

QUEUE = "lab"


def note(name: str, word: str) -> None:
    """On the disk, not on its way there: the machine may lose its power at the next moment."""
    path = Path(os.environ["STATE_DIRECTORY"]) / name
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(fd, f"{word}\n".encode())
        os.fsync(fd)
    finally:
        os.close(fd)


def take(megabytes: int) -> bytearray:
    taken = bytearray(megabytes << 20)
    for at in range(0, len(taken), 4096):
        taken[at] = 1
    return taken


@job(queue=QUEUE, retry=3, backoff=0.5)
def work(name: str, seconds: float = 0) -> None:
    """Be busy for a while."""
    note(name, f"begin{current().attempt}")
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        time.sleep(0.05)
    note(name, f"end{current().attempt}")


@job(queue=QUEUE, retry=0, dead=True)
def hog(name: str, megabytes: int) -> None:
    """Take so much memory and touch all of it."""
    note(name, "begin")
    take(megabytes)
    note(name, "end")


@job(queue=QUEUE, retry=0, dead=True, memory=24 << 20)
def capped(name: str, megabytes: int) -> None:
    """The same, of a type with a limit of its own."""
    note(name, "begin")
    taken = take(megabytes)
    time.sleep(2)
    note(name, f"end{len(taken)}")


@job(queue=QUEUE, retry=0, dead=True)
def forks_a_hog(name: str, megabytes: int) -> None:
    """Have a child take it: the worker itself does nothing wrong."""
    pid = os.fork()
    if pid == 0:
        take(megabytes)
        os._exit(0)
    note(name, f"waits{os.waitpid(pid, 0)[1]}")


@job(queue=QUEUE, retry=0, dead=True)
def leaves_a_child(name: str) -> None:
    """In a session of its own, so that no signal to the worker's group reaches it."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        time.sleep(600)
        os._exit(0)
    note(name, str(pid))

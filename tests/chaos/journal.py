"""What really happened in a chaos run, written outside of Redis by those who did it, and read back as a
stream.

Each process appends whole lines to a file of its own, one write each, so that a death leaves whole lines.
Instants are of the monotonic clock, which all processes of a machine share. Three sorts of files:

    runs/    B jid attempt entry ns wall_ms kind extra     a handler begins
             E jid entry ns | R jid entry ns               it has ended | it has raised
    pushes/  I ns call kind stem count due expires extra   these jids are about to be pushed (due: wall ms)
             A ns stem first last                          these are acknowledged
             U ns stem first last                          nobody knows whether these are in
             Z ns call                                     the call is over: the rest of it was surely not run
             C ns jid | H ns                               cancelled | a memo knew the push
             W ns bid | M ns bid                           a batch is about to be committed | it is
    strikes  by run.py: a JSON document a line, {what, at_ns, ...}

A stem is a jid without its last three digits, the number within its push: a line is up to 500 jobs. app.py,
producer.py and run.py write, history.py reads.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganger import jid as jids
from gangerd.errors import KeptDamaged

STRIKES = "strikes"
VARIABLE = "GANGER_CHAOS_JOURNAL"
STEM = jids.LENGTH - 3
_TAIL = 400
"""More bytes than a line has."""


class Pen:
    """One file, opened at the first line by the process that writes it (a fork gets a file of its own)."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._fd = -1
        self._pid = 0

    def write(self, line: str) -> None:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            path = Path(os.environ[VARIABLE]) / self._folder / f"{self._pid}-{time.monotonic_ns()}"
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(self._fd, line.encode() + b"\n")


def pid_of(path: Path) -> int:
    return int(path.name.partition("-")[0])


def spans(names: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    """Jids as (stem, first, last)."""
    runs: list[tuple[str, int, int]] = []
    for name in sorted(names):
        stem, place = name[:STEM], jids.decode(name[STEM:])
        if runs and runs[-1][0] == stem and runs[-1][2] == place - 1:
            runs[-1] = (stem, runs[-1][1], place)
        else:
            runs.append((stem, place, place))
    yield from runs


def expand(stem: str, first: int, last: int) -> list[str]:
    return [f"{stem}{jids.encode(place, 3)}" for place in range(first, last + 1)]


class Record:
    """The record of the run itself: what was done to it, and when."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def note(self, what: str, **detail: Any) -> None:
        self._file.write(
            json.dumps({"what": what, "at_ns": time.monotonic_ns(), **detail}, default=str) + "\n"
        )

    def close(self) -> None:
        self._file.close()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever in this file can't be read, or is not of its form, is told with its name."""
    try:
        yield
    except OSError as error:
        raise KeptDamaged(f"{path} can't be read, so this run can't be judged: {error.strerror}.") from error
    except (ValueError, LookupError, TypeError) as error:
        raise KeptDamaged(
            f"{path} is damaged, so this run can't be judged: it holds what no run writes there ({error})."
        ) from error


def files(directory: Path, folder: str) -> list[Path]:
    with reading(directory / folder):
        return sorted((directory / folder).iterdir())


def lines(path: Path) -> Iterator[Sequence[str]]:
    """The words of each whole line."""
    with path.open() as file:
        for line in file:
            if line.endswith("\n"):
                yield line.split()


def at_work(directory: Path, pid: int) -> str:
    """The code of the kind of job that this process has begun and not ended; "" when there is none."""
    for path in (directory / "runs").glob(f"{pid}-*"):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            *_, last = file.read().split(b"\n")[:-1] or [b""]
        if last.startswith(b"B "):
            return last.split()[6].decode()
    return ""


def strikes(directory: Path) -> list[dict[str, Any]]:
    path = directory / STRIKES
    with reading(path):
        return [json.loads(line) for line in path.read_text().splitlines()]

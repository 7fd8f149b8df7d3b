"""What really ran: each process appends a line when a job begins and one when it ends, to a file of its own.

The files are outside of Redis and of the product, so that the tests count runs without asking the system they
examine. A line is one write to an append-only file: a death leaves whole lines. Instants are of the monotonic
clock, which all processes of a machine share. Written by the app of the tests, read by the tests.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VARIABLE = "GANGER_TEST_JOURNAL"


def note(what: str, **fields: Any) -> None:
    """Append a line for this process."""
    line = {"what": what, "pid": os.getpid(), "at_ns": time.monotonic_ns(), **fields}
    path = f"{os.environ[VARIABLE]}/{os.getpid()}"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(fd, json.dumps(line).encode() + b"\n")
    finally:
        os.close(fd)


@contextmanager
def noted(jid: str, attempt: int, kind: str) -> Iterator[None]:
    """Around a handler's work: begin, and end only if it came to its end."""
    note("begin", jid=jid, attempt=attempt, kind=kind)
    try:
        yield
    except BaseException as error:
        note("raised", jid=jid, attempt=attempt, kind=kind, error=type(error).__name__)
        raise
    note("end", jid=jid, attempt=attempt, kind=kind)


@dataclass(slots=True)
class Runs:
    """All runs of one job, in order of their begin: (attempt, pid, instant) each."""

    begun: list[tuple[int, int, int]] = field(default_factory=list)
    ended: list[tuple[int, int, int]] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)


class Journal:
    """The reader."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def lines(self) -> list[dict[str, Any]]:
        found = [
            json.loads(line)
            for path in self.directory.iterdir()
            for line in path.read_bytes().splitlines(keepends=True)
            if line.endswith(b"\n")
        ]
        return sorted(found, key=lambda line: int(line["at_ns"]))

    def runs(self) -> dict[str, Runs]:
        """By jid."""
        found: dict[str, Runs] = {}
        for line in self.lines():
            if "jid" not in line:
                continue
            runs = found.setdefault(line["jid"], Runs())
            row = (line["attempt"], line["pid"], line["at_ns"])
            if line["what"] == "begin":
                runs.begun.append(row)
            elif line["what"] == "end":
                runs.ended.append(row)
            else:
                runs.raised.append(line["error"])
        return found

    def count(self, what: str) -> Counter[str]:
        """How many lines of this sort each jid has."""
        return Counter(line["jid"] for line in self.lines() if line["what"] == what)

    def begun(self, jid: str) -> int:
        return self.count("begin")[jid]

    def ended(self, jid: str) -> int:
        return self.count("end")[jid]

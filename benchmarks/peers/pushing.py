"""The producer of a place's system: a process in the system's own language that is told what to push, line
by line.

jobs/produce.py, .js and .rb are its other half, and list the commands.
"""

import json
import select
import subprocess
from typing import Any

from crew import Place
from drivers.driver import JOBS
from servers import dies_with_parent

PATIENCE_S = 180


class ProducerFailed(Exception):
    """It ended, or said nothing for three minutes."""


class Producer:
    """`single(count)`, `bulk(count)`, `idle(count)`, `paced(rate, seconds)`, `act(jobs)`, `failures()`."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._process = subprocess.Popen(
            place.driver.producer(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(place.directory / "producer.log").open("wb"),
            text=True,
            bufsize=1,
            cwd=JOBS,
            env=place.environment,
            preexec_fn=dies_with_parent,
        )
        self._hello: dict[str, Any] | None = None

    @property
    def bulk(self) -> bool:
        """Whether the system can push many at once. Waits for the producer to have come up."""
        if self._hello is None:
            self._hello = self._answer()
        return bool(self._hello["bulk"])

    def ask(self, op: str, **how: object) -> dict[str, Any]:
        assert self._process.stdin and self.bulk is not None
        try:
            self._process.stdin.write(json.dumps({"op": op, **how}) + "\n")
        except BrokenPipeError:
            raise ProducerFailed(self._complaint()) from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        poller = select.poll()
        poller.register(self._process.stdout, select.POLLIN)
        line = self._process.stdout.readline() if poller.poll(PATIENCE_S * 1000) else ""
        if not line.startswith("{"):
            raise ProducerFailed(self._complaint())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _complaint(self) -> str:
        said = (self.place.directory / "producer.log").read_text(errors="replace").strip().splitlines()
        return said[-1] if said else "the producer fell silent"

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(20)

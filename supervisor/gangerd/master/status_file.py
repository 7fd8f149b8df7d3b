"""What the master knows of itself, in a file that `ganger status` reads when Redis is down.

What is in it is composed by the master's loop. Written whole beside and renamed into place, at most once a
second; a file that can't be written is logged once and tried again, and never stops anything."""

import os
from pathlib import Path
from typing import Any

import msgspec

from gangerd import log

EVERY_NS = 1_000_000_000


class StatusFile:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._beside = path.with_name(f".{path.name}.{os.getpid()}")
        self._written_ns: int | None = None
        self._failing = False
        self._log = log.get()

    def due(self, now_ns: int) -> bool:
        """Whether `write` would write now."""
        return self._written_ns is None or now_ns - self._written_ns >= EVERY_NS

    def write(self, status: dict[str, Any], now_ns: int) -> None:
        """Write it if a second has passed (monotonic ns) since the last time. Never raises."""
        if not self.due(now_ns):
            return
        self._written_ns = now_ns
        try:
            self._beside.write_bytes(msgspec.json.encode(status) + b"\n")
            self._beside.replace(self._path)
        except (OSError, TypeError, ValueError) as error:
            self._say(error)
        else:
            self._failing = False

    def remove(self) -> None:
        """At an orderly end. Never raises."""
        for path in (self._beside, self._path):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                self._say(error)

    def _say(self, error: Exception) -> None:
        if not self._failing:
            self._log.error(log.STATUS_UNWRITTEN, file=str(self._path), error=str(error))
        self._failing = True

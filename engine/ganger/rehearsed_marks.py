"""Marks of once() while a test mode is on: in this process, for as long as the mode is, with no time.

once.py calls, standin.py keeps them. Nobody dies in a rehearsal, so nothing is taken over."""

import threading
from dataclasses import dataclass

from ganger.operations.once import Begun


@dataclass(slots=True)
class _Mark:
    state: str = "pending"
    value: bytes = b""


class RehearsedMarks:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._marks: dict[str, _Mark] = {}

    def begin(self, key: str, *, again: bool) -> Begun:
        """See operations/once.py."""
        with self._lock:
            was = self._marks.get(key)
            if was is not None and (was.state != "failed" or not again):
                return Begun(was.state, value=was.value, attempt=1)
            self._marks[key] = _Mark()
            return Begun("begun", earlier="" if was is None else was.state)

    def end(self, key: str, state: str, value: bytes) -> bool:
        with self._lock:
            self._marks[key] = _Mark(state, value)
        return True

    def forget(self, key: str) -> bool:
        with self._lock:
            return self._marks.pop(key, None) is not None

"""The soft timeout: JobTimeout raised in a handler whose run is over its time.

The master knocks (SOFT_TIMEOUT_SIGNAL, once a second); the worker decides, since only it knows what runs at
this very moment. JobTimeout is raised only while that run is current and overdue, and only between
bytecodes of the handler's own code: never in the engine's, which the handler may be calling (half a reply
read would poison the connection). Code that swallows it meets it again a second later, until the hard
timeout ends it all."""

import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

from ganger.errors import JobTimeout
from ganger.passages import PASSAGES

_ENGINE = ("ganger.", "gangerd.", "redis.")


class SoftTimeout:
    def __init__(self) -> None:
        self.deadline_ns = 0
        self._timeout_s = 0.0
        self.raised = False

    def arm(self, deadline_ns: int, timeout_s: float) -> None:
        """A run begins; `deadline_ns` on the monotonic clock, 0 for one that its own event loop ends."""
        self.raised = False
        self._timeout_s = timeout_s
        self.deadline_ns = deadline_ns

    def disarm(self) -> None:
        self.deadline_ns = 0

    def knock(self, signum: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if self.deadline_ns and time.monotonic_ns() >= self.deadline_ns and in_handler(frame):
            self.raised = True
            raise JobTimeout(f"the job ran longer than its {self._timeout_s:g} s")


def call_handler(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The frame that marks where user code begins; its name is looked for by `in_handler`."""
    return function(*args, **kwargs)


_MARK = call_handler.__code__


def in_handler(frame: FrameType | None) -> bool:
    """Whether the interrupted frame is the handler's own code, or that of a middleware around it: below the
    mark, no engine frame itself, and none between but those that only pass a call on (the chain of
    middlewares; a job that another calls as a function)."""
    if frame is None or _is_engine(frame):
        return False
    while frame is not None and frame.f_code is not _MARK:
        if _is_engine(frame) and frame.f_code not in PASSAGES:
            return False
        frame = frame.f_back
    return frame is not None


def _is_engine(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith(_ENGINE)

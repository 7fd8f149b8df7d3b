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

from ganger.actor import Actor
from ganger.errors import JobTimeout

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
_JOB_CALLED_AS_FUNCTION = Actor.__call__.__code__


def in_handler(frame: FrameType | None) -> bool:
    """Whether the interrupted frame is the handler's own code: below the mark, and no engine frame
    between. (A job that calls another as a function is in its own code all the same.)"""
    while frame is not None and frame.f_code is not _MARK:
        engine = str(frame.f_globals.get("__name__", "")).startswith(_ENGINE)
        if engine and frame.f_code is not _JOB_CALLED_AS_FUNCTION:
            return False
        frame = frame.f_back
        if frame is not None and frame.f_code is _MARK:
            return True
    return False

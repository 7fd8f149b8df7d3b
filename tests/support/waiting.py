"""Waiting for a condition with a deadline: the one place in the tests that may pause.

Prefer to wait on an event (a descriptor, a reply, a process's end) where there is one.
"""

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], what: str, deadline_s: float = 10.0) -> None:
    """Look again and again until the condition holds; AssertionError with `what` when it is too late."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s, f"not within {deadline_s} s: {what}"
        time.sleep(0.002)

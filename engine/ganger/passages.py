"""Engine code through which a JobTimeout may pass: what stands between a worker and a handler and only hands
a call on. The soft timeout is raised in the handler's own code and never in the engine's; it looks here to
know which engine frames may lie outside of it (gangerd/worker/overdue.py).
"""

from collections.abc import Callable
from types import CodeType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

PASSAGES: set[CodeType] = set()


def passage(function: F) -> F:
    """Decorate such a function. It keeps nothing that an exception out of its inner call would leave half
    done, but by `finally`."""
    PASSAGES.add(function.__code__)
    return function

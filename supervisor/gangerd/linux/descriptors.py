"""Bare file descriptors: closing many of them, and naming those that an exec must keep.

Leaves what a descriptor is for to its owner. Used by the other files here and by those that start
processes.
"""

import contextlib
import os
from collections.abc import Iterable


def close_all(fds: Iterable[int]) -> None:
    """Close each; one that is closed already is no error."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def keep_over_exec(fds: Iterable[int]) -> None:
    """Let each survive an exec (Python opens everything close-on-exec)."""
    for fd in fds:
        os.set_inheritable(fd, True)

"""A worker's own view of its memory cgroup: the files it reads and writes between jobs, held open.

A look at an open file is a microsecond, at a closed one forty. v2 and v1 alike, told apart by their files;
whoever looks from outside uses cgroup_leaf.py. Used by the worker (allowance.py).
"""

import contextlib
import os
from pathlib import Path

_V1 = ("memory.usage_in_bytes", "memory.oom_control", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
_V2 = ("memory.current", "memory.events", "memory.max", "memory.swap.max")
_NO_LIMIT_V1, _NO_LIMIT_V2 = b"-1", b"max"


class LeafFiles:
    """Of the leaf this process lives in. Nothing here raises: what can't be had is None or False."""

    def __init__(self, leaf: str) -> None:
        self._is_v1 = Path(leaf, "memory.limit_in_bytes").exists()
        used, events, limit, swap = (f"{leaf}/{name}" for name in (_V1 if self._is_v1 else _V2))
        self._used, self._events = _opened(used, os.O_RDONLY), _opened(events, os.O_RDONLY)
        self._limit, self._swap = _opened(limit, os.O_WRONLY), _opened(swap, os.O_WRONLY)

    def used_bytes(self) -> int | None:
        """The memory charged to the leaf now, page cache included."""
        try:
            return int(os.pread(self._used, 32, 0))
        except (OSError, ValueError):
            return None

    def oom_kills(self) -> int | None:
        """How many processes of the leaf the OOM killer has ended."""
        try:
            for line in os.pread(self._events, 4096, 0).splitlines():
                if line.startswith(b"oom_kill "):
                    return int(line[9:])
        except (OSError, ValueError):
            pass
        return None

    def limit(self, memory_bytes: int | None) -> bool:
        """Limit memory, and swap with it (None: neither); whether the kernel has taken it. Not to be lowered
        onto what is in use: v1 refuses that, v2 ends whoever uses it."""
        if self._is_v1:
            text = _NO_LIMIT_V1 if memory_bytes is None else b"%d" % memory_bytes
            # Memory and swap together may never be limited to less than memory alone.
            _written(self._swap, text)
            done = _written(self._limit, text)
            _written(self._swap, text)
            return done
        _written(self._swap, _NO_LIMIT_V2 if memory_bytes is None else b"0")
        return _written(self._limit, _NO_LIMIT_V2 if memory_bytes is None else b"%d" % memory_bytes)


def _opened(path: str, flags: int) -> int:
    """-1 when it can't be opened: every use of that fails as it should."""
    try:
        return os.open(path, flags | os.O_CLOEXEC)
    except OSError:
        return -1


def _written(fd: int, text: bytes) -> bool:
    with contextlib.suppress(OSError):
        return os.pwrite(fd, text, 0) == len(text)
    return False

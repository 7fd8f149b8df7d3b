"""An append-only file whose machine lost its power: its end may be zeros, with which no server starts.

Many file systems write down a file's new length before its new bytes. What a server appended last is then
there as zeros, in place of the last second's writes, which are lost anyway. A command of such a file ends in
a line break and never in a zero, so zeros at the end are nothing that was written; half a command before
them is the server's own affair. Called before each start of an embedded server.
"""

import os
from pathlib import Path

_STEP = 65_536


def mend(directory: Path) -> int:
    """Cut the zeros off a server's newest append-only file; how many bytes these were. Raises OSError."""
    files = list((directory / "appendonlydir").glob("appendonly.aof.*.incr.aof"))
    return cut_zeros(max(files, key=_number)) if files else 0


def _number(path: Path) -> int:
    """appendonly.aof.12.incr.aof"""
    part = path.name.split(".")[2]
    return int(part) if part.isdigit() else 0


def cut_zeros(path: Path) -> int:
    with path.open("rb+") as file:
        whole = end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - _STEP)
            file.seek(start)
            kept = len(file.read(end - start).rstrip(b"\0"))
            end = start + kept
            if kept:
                break
        if end < whole:
            file.truncate(end)
            file.flush()
            os.fsync(file.fileno())
    return whole - end

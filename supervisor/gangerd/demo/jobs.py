"""The demo's app: one honest job, run once for every source file, and three saboteurs.

The honest job writes its result to a file outside of Redis, one line a run, so that the demo can count what
really ran without asking the system it examines. Imported by the template as any app is."""

import ast
import ctypes
import hashlib
import json
import os
import time
import warnings
from pathlib import Path

from ganger import job

QUEUE = "stdlib"
RETRY_AFTER_S = 1.0
# One retry each, after a second, then the dead letters: the demo wants to see all of it, and soon.
# Urgent, so that a retry does not wait behind a thousand files.
_SABOTAGE = {"queue": QUEUE, "priority": 9, "retry": 1, "backoff": RETRY_AFTER_S, "dead": True}

MEMORY_BYTES = 96 << 20
"""Twice what the most voluminous source file needs."""
_CHUNK = 4 << 20
_MOST_CHUNKS = 256


@job(queue=QUEUE)
def index(path: str, number: int, results: str) -> None:
    """Parse one source file and append what was found to `results`."""
    source = Path(path).read_bytes()
    found: dict[str, object] = {
        "number": number,
        "path": path,
        "lines": source.count(b"\n"),
        "sha256": hashlib.sha256(source).hexdigest(),
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nodes = [type(node) for node in ast.walk(ast.parse(source))]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        # The library holds files that are wrong on purpose, to test the parser.
        found["unparsable"] = type(error).__name__
    else:
        found["functions"] = nodes.count(ast.FunctionDef) + nodes.count(ast.AsyncFunctionDef)
        found["classes"] = nodes.count(ast.ClassDef)
    line = json.dumps(found).encode() + b"\n"
    fd = os.open(results, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, line)  # one write to an append-only file: lines of several workers never mix
    finally:
        os.close(fd)


@job(**_SABOTAGE)
def segfault() -> None:
    """Read address 0."""
    ctypes.string_at(0)


@job(**_SABOTAGE, memory=MEMORY_BYTES, timeout=30)
def eat_memory() -> None:
    """Take memory, and touch it, until somebody ends this."""
    eaten = []
    for _ in range(_MOST_CHUNKS):
        eaten.append(bytearray(b"x") * _CHUNK)
        time.sleep(0.01)  # slow enough that a limit which looks from outside sees it in time
    raise RuntimeError(f"nobody minded {_MOST_CHUNKS * _CHUNK >> 20} MB")


@job(**_SABOTAGE, timeout=1, grace=0.5)
def hang() -> None:
    """Wait in C for a lock that this very thread holds: no handler written in Python runs any more."""
    libc = ctypes.CDLL(None)
    mutex = (ctypes.c_char * 64)()  # zeroed: an ordinary, free pthread_mutex_t, with room to spare
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_lock(mutex)

"""What a job does, word for word the same for every Python system; handlers.js and handlers.rb say it
again.

Each handler tells what happened by one write to a file opened for appending: a byte for a no-op, a line
else. That costs a microsecond or two, in every language alike. PEERS_IMPORT names a module to import at the
start.
"""

import ctypes
import importlib
import os
import signal
import time

PLACE = os.environ["PEERS_DIR"]


def _open(name: str) -> int:
    return os.open(f"{PLACE}/{name}", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


TALLY, STARTS, JOURNAL = _open("tally"), _open("starts"), _open("journal")

if os.environ.get("PEERS_IMPORT"):
    importlib.import_module(os.environ["PEERS_IMPORT"])


def noop() -> None:
    os.write(TALLY, b".")


def stamp(pushed_ns: int) -> None:
    os.write(STARTS, b"%d\n" % (time.monotonic_ns() - pushed_ns))


def began(number: int, pushed_ns: int) -> None:
    os.write(JOURNAL, b"began %d %d %d %d\n" % (number, os.getpid(), time.monotonic_ns(), pushed_ns))


def ended(number: int) -> None:
    os.write(JOURNAL, b"ended %d %d %d 0\n" % (number, os.getpid(), time.monotonic_ns()))


def harm(kind: str) -> None:
    """The three culprits. Their names say nothing, so that a log that shows arguments does not name a
    cause."""
    if kind == "a":
        ctypes.string_at(0)
    elif kind == "b":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "c":
        # PyDLL keeps the GIL while C runs; a lock taken twice waits for ever, whatever the signal.
        lock = ctypes.create_string_buffer(64)
        for _ in range(2):
            ctypes.PyDLL(None).pthread_mutex_lock(lock)


def act(kind: str, number: int, pushed_ns: int) -> None:
    began(number, pushed_ns)
    harm(kind)
    time.sleep(0.005)
    ended(number)

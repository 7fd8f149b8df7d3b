"""Servers with clocks that can be stepped: libfaketime, where it is installed, says what time it is to them.

Only the time of day is moved; what measures how long something takes goes on as it was. servers.py gives a
server its clock before it starts, nemeses/clock.py steps it. A server that can't be had this way (one with
an allocator that asks for the time first, such as jemalloc) would never start: `missing` says so.
"""

import time
from pathlib import Path

from support.clocks import MISSING, Clock
from support.server import Server, wait_until


def missing(binary: str) -> str:
    """Why servers of this kind can have no such clock here; "" when they can."""
    return MISSING or ("" if binary == "valkey" else f"{binary} can't start with libfaketime")


def give_clock(server: Server) -> None:
    """From its next start on it has one, that shows the right time."""
    server.environment |= Clock(_file(server)).environment


def has_clock(server: Server) -> bool:
    return _file(server).exists()


def step(server: Server, by_s: int) -> None:
    """Its clock shows the right time plus so many seconds; returns when it does, a second or two later."""
    Clock(_file(server)).step(by_s)
    wait_until(lambda: abs(offset_s(server) - by_s) < 0.5, what=f"a clock that is {by_s} s ahead")


def offset_s(server: Server) -> float:
    """How far it is ahead."""
    seconds, micros = server.call("TIME")
    return float(int(seconds) + int(micros) / 1e6 - time.time())


def _file(server: Server) -> Path:
    return server.directory / "clock"

"""A worker that knows no Redis: it is born, runs and leaves as a real one does, at the word of a test.

Its job begins on SIGUSR1 and ends on SIGUSR2; the file `mode-<slot>` (or `mode`) in the run directory says
how it is to be born. Used by the tests of the master.
"""

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Mapping
from typing import Any

from gangerd.config import Config
from gangerd.linux import faults, signals
from gangerd.linux.channel import Channel, Closed
from gangerd.linux.shared_memory import map_region
from gangerd.messages import DeathSettled, Go, Leaving, Message, Ready, decode, encode
from gangerd.page import PageWriter
from gangerd.recorder import PAGE_BYTES, Control, Counter, EntryState, Held, Phase, page_offset
from gangerd.worker.birth import Birth
from gangerd.worker.turn import Turn

FAR_NS = 3_600_000_000_000


def prepare(config: Config, manifest: Mapping[str, Any]) -> None:
    """A worker without Redis has nothing to work out before the fork."""


def main(birth: Birth) -> int:
    os.setsid()
    wanted = {"job": False}
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGUSR1, lambda *_: wanted.update(job=True))
    signal.signal(signal.SIGUSR2, lambda *_: wanted.update(job=False))
    signal.signal(signals.SOFT_TIMEOUT_SIGNAL, signal.SIG_IGN)
    faults.enable(birth.crash_fd)
    mode = _mode(birth)
    if mode == "exit-early":
        return 7
    if mode == "hang-early":
        while True:
            signal.pause()
    channel: Channel[Message] = Channel(birth.channel_fd, encode, decode)
    channel.send(Ready(birth.incarnation))
    if not _go(channel):
        (birth.config.run_dir / f"orphan-{birth.incarnation}").touch()
        return 0
    faults.register_dump()
    page = PageWriter(memoryview(map_region(birth.recorder_fd, page_offset(birth.slot), PAGE_BYTES)))
    page.begin(birth.incarnation, os.getpid(), birth.generation, time.monotonic_ns())
    if mode == "exit-idle":
        return 9
    if mode == "babble":
        _babble(channel)
    _live(birth, channel, page, wanted)
    page.enter(Phase.LEAVING, time.monotonic_ns())
    channel.send(Leaving(birth.incarnation, "retired"))
    while mode == "lingers" and not wanted["job"]:
        time.sleep(0.01)
    return 0


def _babble(channel: Channel[Message]) -> None:
    """Say what a worker has no business saying, and what nobody can say, as fast as it goes."""
    raw = socket.socket(fileno=os.dup(channel.fileno()))
    end_s = time.monotonic() + 1.0
    while time.monotonic() < end_s:
        channel.send(DeathSettled("not-mine"))
        channel.send(Ready("0" * 16))
        with contextlib.suppress(BlockingIOError):
            raw.send(os.urandom(64))
    raw.close()


def _mode(birth: Birth) -> str:
    for name in (f"mode-{birth.slot}", "mode"):
        path = birth.config.run_dir / name
        if path.exists():
            return path.read_text()
    return ""


def _go(channel: Channel[Message]) -> bool:
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    while True:
        poll.poll()
        try:
            if any(isinstance(message, Go) for message, _ in channel.receive()):
                return True
        except Closed:
            return False


def _live(birth: Birth, channel: Channel[Message], page: PageWriter, wanted: dict[str, bool]) -> None:
    """Until told to retire and no job runs."""
    running = False
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    page.enter(Phase.IDLE, time.monotonic_ns())
    turn = Turn(birth.recorder_fd, page)
    while running or not (
        page.control() & Control.RETIRE or (page.control() & Control.YIELD and turn.take())
    ):
        poll.poll(10)
        channel.receive()
        if wanted["job"] and not running:
            now_ns = time.monotonic_ns()
            page.hold(
                [Held("q", 1, 5, f"{now_ns}-1", f"jid-{birth.slot}", "tiny.job", 1)],
                [EntryState.HELD],
                now_ns,
            )
            page.set_deadlines(now_ns, now_ns + FAR_NS, now_ns + FAR_NS, 0)
            page.enter(Phase.RUNNING, now_ns)
            running = page.start(0)
            page.counters[Counter.STARTED] += 1
        elif running and not wanted["job"]:
            page.states[0] = EntryState.GONE
            page.enter(Phase.IDLE, time.monotonic_ns())
            running = False

"""A role in the test's own process: a real recorder file in memory, a real channel, a real doorbell.

The test plays the master (the other end of the channel) and the workers (PageWriter on the pages).
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from gangerd import messages
from gangerd.board import Board
from gangerd.config import Config
from gangerd.linux import doorbell
from gangerd.linux.channel import Channel, pair
from gangerd.linux.shared_memory import anonymous, write_all
from gangerd.messages import Message
from gangerd.page import PageWriter
from gangerd.recorder import (
    HEADER_BYTES,
    MAGIC,
    EntryState,
    HeaderWord,
    Held,
    Phase,
    file_bytes,
)
from gangerd.roles.role import Role
from support.children import readable

M = TypeVar("M", bound=Message)

HOST = "00000000000000aa"
MANIFEST: dict[str, Any] = {
    "types": {
        "shop.send": {"queue": "mail", "retry": 5, "backoff": [0.0], "crash_limit": 3},
        "shop.once": {"queue": "mail", "retry": 0},
    }
}


def recorder(slots: int = 3, host: str = HOST) -> int:
    """A recorder file as the master makes it."""
    fd = anonymous("recorder", file_bytes(slots))
    role_header = memoryview(bytearray(HEADER_BYTES)).cast("Q")
    role_header[HeaderWord.MAGIC] = MAGIC
    role_header[HeaderWord.SLOTS] = slots
    role_header[HeaderWord.INCARNATION] = int(host, 16)
    role_header[HeaderWord.MASTER_PID] = os.getpid()
    os.pwrite(fd, role_header.cast("B"), 0)
    return fd


class Stage:
    """`role` is what is under test; `master` the other end of its channel."""

    def __init__(self, url: str, slots: int = 3, *, incarnation: str = HOST, **settings: Any) -> None:
        ours, theirs = pair()
        self.master: Channel[Message] = Channel(ours, messages.encode, messages.decode)
        self.bell = doorbell.create()
        self.recorder_fd = recorder(slots, incarnation)
        self.config = Config(redis=url, app="shop", workers=slots, **settings)
        channel: Channel[Message] = Channel(theirs, messages.encode, messages.decode)
        self.role = Role("test", self.config, channel, self.recorder_fd, self.bell, MANIFEST)
        self.threads = ExitStack()
        """How to end those that use the descriptors."""

    @property
    def board(self) -> Board:
        return self.role.board

    def worker(self, slot: int, incarnation: str) -> "Worker":
        """Move into a slot."""
        return Worker(self, slot, incarnation)

    def said(self) -> list[Message]:
        """What the role has told its master so far."""
        return [message for message, _ in self.master.receive()]

    def run_until(self, condition: Any, what: str, deadline_s: float = 10.0) -> None:
        """Turn the role's loop until the condition holds."""
        end_s = time.monotonic() + deadline_s
        while not condition():
            assert time.monotonic() < end_s, f"not within {deadline_s} s: {what}"
            self.role.loop.round(0.01)

    def close(self) -> None:
        self.threads.close()
        self.master.close()
        self.role.channel.close()
        os.close(self.bell)
        os.close(self.recorder_fd)


class Worker:
    """A worker as its page shows it."""

    def __init__(self, stage: Stage, slot: int, incarnation: str) -> None:
        self.slot, self.incarnation = slot, incarnation
        self._page_at = stage.role.pages[slot]
        self.page = PageWriter(self._page_at.bytes)
        self.page.begin(incarnation, os.getpid(), 1, time.monotonic_ns())
        self._stage = stage

    def hold(self, held: list[Held], states: list[EntryState], *, age_ms: int = 0) -> None:
        """Hold a batch that began `age_ms` ago."""
        self.page.hold(held, states, time.monotonic_ns() - age_ms * 1_000_000)
        self.page.enter(Phase.RUNNING, time.monotonic_ns())

    def run(self, index: int, *, age_ms: int = 0) -> None:
        """Start an entry, `age_ms` ago."""
        began_ns = time.monotonic_ns() - age_ms * 1_000_000
        self.page.set_deadlines(began_ns, 0, 0, 0)
        assert self.page.start(index)

    def idle(self) -> None:
        self._stage.board.set_idle(self.slot, True)
        self.page.enter(Phase.IDLE, time.monotonic_ns())


class Process:
    """A role as the master starts it: exec'd, with descriptors by number."""

    def __init__(
        self, name: str, config: Config, recorder_fd: int, bell: int, *, manifest: bool = True
    ) -> None:
        ours, theirs = pair()
        self.master: Channel[Message] = Channel(ours, messages.encode, messages.decode)
        self.manifest = anonymous("manifest", 0)
        if manifest:
            self.imported()
        config_fd = config.to_fd()
        fds = {
            "channel": theirs.fileno(),
            "config": config_fd,
            "recorder": recorder_fd,
            "doorbell": bell,
            "manifest": self.manifest,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"gangerd.roles.{name}"],
            pass_fds=tuple(fds.values()),
            env=os.environ | {"GANGERD_FDS": json.dumps(fds), "GANGERD_MASTER": str(os.getpid())},
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        os.close(config_fd)

    def imported(self) -> None:
        """The app's import is over: its manifest is there."""
        write_all(self.manifest, json.dumps(MANIFEST).encode())

    def hear(self, kind: type[M], deadline_s: float = 15.0) -> M:
        """The next message of this kind."""
        end_s = time.monotonic() + deadline_s
        while time.monotonic() < end_s:
            readable(self.master.fileno(), 0.5)
            for message, _ in self.master.receive():
                if isinstance(message, kind):
                    return message
        raise AssertionError(f"no {kind.__name__} within {deadline_s} s")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.master.close()
        os.close(self.manifest)


@contextmanager
def stage(url: str, slots: int = 3, **settings: Any) -> Iterator[Stage]:
    made = Stage(url, slots, **settings)
    try:
        yield made
    finally:
        made.close()

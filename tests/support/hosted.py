"""A whole worker in a process of its own, with the test in the master's and the coordinator's place."""

import os
import signal
import time
from typing import Any

from gangerd import messages
from gangerd.board import Board, Line
from gangerd.config import Config
from gangerd.linux import doorbell
from gangerd.linux.channel import Channel, pair
from gangerd.linux.shared_memory import anonymous, map_region
from gangerd.page import Page
from gangerd.passes import Passes
from gangerd.recorder import BOARD_BYTES, HEADER_BYTES, PAGE_BYTES, HeaderWord, page_offset
from gangerd.recorder import Control as Word
from gangerd.worker.birth import Birth
from gangerd.worker.loop import main
from support.roles import HOST, recorder
from support.servers import ClusterServers
from support.waiting import until


class Hosted:
    """A worker in slot 0, its header and board in the test's hands."""

    def __init__(self, servers: ClusterServers, *queues: str, starts: bool = True, **settings: Any) -> None:
        self.recorder_fd = recorder(slots=1)
        self.header = memoryview(map_region(self.recorder_fd, 0, HEADER_BYTES)).cast("Q")
        self.board = Board(memoryview(map_region(self.recorder_fd, HEADER_BYTES, BOARD_BYTES)))
        self.passes = Passes(
            memoryview(map_region(self.recorder_fd, HEADER_BYTES, BOARD_BYTES)), self.recorder_fd
        )
        self.board.write_directory([Line(queue, 1, 1, queue == "limited") for queue in queues])
        self.page = Page(memoryview(map_region(self.recorder_fd, page_offset(0), PAGE_BYTES)))
        self.bell = doorbell.create()
        ours, theirs = pair()
        self.channel: Channel[messages.Message] = Channel(ours, messages.encode, messages.decode)
        self.stamp()
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            self._be_worker(theirs.fileno(), Config(redis=servers.url, app="x", **settings))
        theirs.close()
        if not starts:
            return
        until(lambda: bool(self.channel.receive()), "READY")
        self.page.set_control(Word.MAY_CLAIM)
        self.channel.send(messages.Go())

    def _be_worker(self, channel_fd: int, config: Config) -> None:
        code = 1
        try:
            birth = Birth(
                slot=0,
                incarnation="00000000000000b1",
                generation=1,
                channel_fd=channel_fd,
                crash_fd=anonymous("crash", 0),
                recorder_fd=self.recorder_fd,
                doorbell_fd=self.bell,
                master_pid=os.getppid(),
                host=HOST,
                config=config,
            )
            code = main(birth)
        finally:
            os._exit(code)

    def stamp(self, age_s: float = 0.0) -> None:
        """The coordinator's last round, and its last renewal."""
        at_ns = time.monotonic_ns() - int(age_s * 1e9)
        self.header[HeaderWord.COORDINATOR_AT_NS] = self.header[HeaderWord.RENEWED_AT_NS] = at_ns

    def ring(self) -> None:
        self.board.signal(0, 5)
        doorbell.ring(self.bell)

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.channel.close()
        os.close(self.bell)
        os.close(self.recorder_fd)

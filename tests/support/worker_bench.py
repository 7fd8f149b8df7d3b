"""One worker's parts on real servers, put together as its loop does; the test takes each step itself."""

import os
import weakref
from collections.abc import Callable
from typing import Any

from ganger import Client
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.errors import GangerError
from ganger.keeping import Keeper
from ganger.keys import Control, Partition, partitions
from ganger.operations import look, schedule
from ganger.operations.control import register_queue
from gangerd.board import Board, Line
from gangerd.linux.shared_memory import anonymous, map_region
from gangerd.page import PageWriter
from gangerd.recorder import BOARD_BYTES, HEADER_BYTES, PAGE_BYTES, file_bytes, page_offset
from gangerd.worker.costs import Costs
from gangerd.worker.fetch import Fetch
from gangerd.worker.hand import Hand
from gangerd.worker.perform import Performer
from gangerd.worker.report import Report
from gangerd.worker.sight import Sight
from support.servers import ClusterServers

HOST, ME = "00000000000000aa", "00000000000000b1"


class Bench:
    """One worker's parts, put together as the loop does, over a queue of one partition."""

    def __init__(self, servers: ClusterServers, cluster: Cluster) -> None:
        self.servers = servers
        self.cluster = cluster
        self.client = Client(EngineConfig(redis=servers.settings()))
        register_queue(cluster, Control("ganger"), "q", 1)
        self.fd = fd = anonymous("recorder", file_bytes(1))
        weakref.finalize(self, os.close, fd)
        self.pause: Callable[[float], Any] = lambda _: None
        """What a report does while Redis does not take it."""
        self.page = PageWriter(memoryview(map_region(fd, page_offset(0), PAGE_BYTES)))
        self.page.begin(ME, os.getpid(), 1, 1)
        self.board = Board(memoryview(map_region(fd, HEADER_BYTES, BOARD_BYTES)))
        self.board.write_directory([Line("q", 1, 1)])
        self.sight = Sight(self.board, "ganger")
        self.hand = Hand(self.page, fd, 0)
        self.costs = Costs()
        self.fetch = Fetch(cluster, self.page, self.hand, HOST, ME)
        report = Report(
            cluster, self.page, self.hand, HOST, "host", ME, 1000, lambda pause_s: self.pause(pause_s)
        )
        self.away: list[GangerError] = []
        self.keeper = keeper = Keeper(cluster, HOST, self.away.append)
        self.performer = Performer(self.page, self.hand, self.costs, report, keeper, 0, 0)

    @property
    def partition(self) -> Partition:
        return partitions("ganger", "q", 1)[0]

    def look(self) -> look.Look:
        return look.parse_look(self.cluster.run(look.look_command(self.partition)), self.partition)

    def trip(self) -> int:
        self.board.signal(0, 5)
        target = self.sight.next()
        assert target is not None
        return len(self.fetch.trip(target, self.sight, self.costs))

    def promote(self) -> None:
        """What is due becomes ready."""
        schedule.promote(self.cluster, self.partition)

    def run_all(self) -> None:
        """Trips until the partition is empty, then what is done is settled."""
        while self.look().ready:
            for index in range(self.trip()):
                self.performer.perform(index)
        self.fetch.settle()

    def while_silent(self, act: Callable[[], Any]) -> Any:
        """Do it while the partition's node is stopped."""
        index = self.servers.index_of(self.partition.slot)
        self.servers.pause(index)
        try:
            return act()
        finally:
            self.servers.resume(index)

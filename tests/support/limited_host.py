"""A host with a limited queue as its warden sees it; the test is the workers. Two of them are two hosts;
`begin` again is the next coordinator of one."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ganger.limiting import semaphore_name
from ganger.throttle.holders import Seat
from ganger.throttle.quorum import TTL_MS
from ganger.throttle.semaphore import Semaphore
from ganger.throttle.servers import Servers
from gangerd.board import Line
from gangerd.config import Limit
from gangerd.passes import Passes, PassState
from gangerd.recorder import Control
from gangerd.roles.coordinator.grants import Grants
from gangerd.roles.coordinator.limits import limited_queues
from gangerd.roles.coordinator.warden import Warden
from support.roles import Stage, stage

MS = 1_000_000
MAIL = 1
"""The line of the limited queue; before it stands one without a limit."""
LINES = [Line("free", 2, 1), Line("mail", 4, 1, limited=True)]


class Host:
    def __init__(self, at: Stage, urls: list[str], limits: dict[str, Limit], ttl_ms: int = TTL_MS) -> None:
        self.at, self.urls, self.limits, self.ttl_ms = at, urls, limits, ttl_ms
        at.board.write_directory(LINES)
        self.passes = Passes(at.role.board_memory, at.recorder_fd)
        self.lost: list[tuple[int, int, str, bool]] = []
        self._opened: list[Servers] = []
        self.begin()

    def begin(self) -> None:
        """A coordinator starts, perhaps after another one."""
        self.servers = self._open()
        grants = Grants(self.servers, "ganger", "web-1", ttl_ms=self.ttl_ms)
        role = self.at.role
        self.warden = Warden(
            role.board, self.passes, role.pages, role.doorbell_fd, grants, self._lost, random.Random(1)
        )
        self.warden.limit(limited_queues(LINES, self.limits))
        self.warden.adopt(now_ns())

    def _open(self) -> Servers:
        self._opened.append(Servers(self.urls))
        return self._opened[-1]

    def close(self) -> None:
        for each in self._opened:
            each.close()

    def _lost(self, worker: int, slot: int, queue: str, is_ending: bool) -> None:
        self.lost.append((worker, slot, queue, is_ending))

    def sleepers(self, count: int) -> None:
        for slot in range(count):
            self.at.worker(slot, f"{0xB0 + slot:016x}").idle()
            self.at.role.pages[slot].set_control(Control.MAY_CLAIM)

    def work(self, *partitions: int) -> None:
        for place in partitions:
            self.at.board.signal(2 + place, 5)

    def rest(self) -> None:
        """No work waits."""
        for place in range(4):
            self.at.board.silence(2 + place)

    def tick(self, after_ms: float = 0) -> None:
        self.warden.tick(now_ns() + int(after_ms * MS))

    def take(self, slot: int = 0) -> int:
        number = self.passes.take(MAIL, slot, 0xB0 + slot)
        assert number is not None
        self.at.board.set_idle(slot, False)
        return number

    def states(self) -> list[PassState]:
        return sorted(row.state for _, row in self.passes.rows())

    def seats(self, name: str = "mail") -> list[Seat]:
        limit = self.limits[name].concurrency
        return Semaphore(self._open(), "ganger", semaphore_name(name), limit).inspect()


Hosts = Callable[..., Host]


@contextmanager
def many_hosts(servers: list[str]) -> Iterator[Hosts]:
    """Makes hosts, all with these servers for semaphores."""
    stages, hosts = [], []

    def make(limit: int = 3, urls: list[str] | None = None, slots: int = 8, **others: Limit) -> Host:
        opened = stage("redis://h", slots)
        stages.append(opened)
        limits = {"mail": Limit("mail", limit), **others}
        hosts.append(Host(opened.__enter__(), urls or servers, limits))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()
    for opened in stages:
        opened.__exit__(None, None, None)


def now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

"""A replica of the first of a stage's own servers, for pushes that wait until one has them."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gangerd.embedded import binary, layout, wire
from gangerd.embedded.layout import BUS_OFFSET, Layout
from gangerd.embedded.server import START_S, Server
from gangerd.errors import BenchFailed


class Replica:
    def __init__(self, directory: Path, primaries: Layout) -> None:
        taken = [*primaries.shards, primaries.semaphore]
        port = layout.free_ports(1, random.SystemRandom(), taken=taken)[0]
        self._primary = primaries.shards[0]
        self._server = Server(binary.find(), directory, port, primaries.password, cluster=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Up, and in step with its primary."""
        nowhere = os.open(os.devnull, os.O_RDONLY)
        try:
            self._server.spawn(nowhere)
            self._server.await_ready(time.monotonic() + START_S)
            self._join()
            yield
        finally:
            self._server.tell_to_stop()
            self._server.await_end(10)
            os.close(nowhere)

    def _join(self) -> None:
        primary = str(self._primary)
        self._server.ask("CLUSTER", "MEET", "127.0.0.1", primary, str(self._primary + BUS_OFFSET))
        name = wire.ask(self._primary, self._server.password, ("CLUSTER", "MYID"))
        assert isinstance(name, bytes)
        self._until(lambda: name in _text(self._server.ask("CLUSTER", "NODES")))
        self._server.ask("CLUSTER", "REPLICATE", name.decode())
        self._until(lambda: b"master_link_status:up" in _text(self._server.ask("INFO", "replication")))

    def _until(self, holds: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + START_S
        while not holds():
            if time.monotonic() > deadline_s:
                raise BenchFailed("the replica did not join its primary in time.")
            time.sleep(0.02)


def _text(reply: wire.Reply) -> bytes:
    return reply if isinstance(reply, bytes) else b""

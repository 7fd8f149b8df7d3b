"""A real cluster for an application's tests: the embedded servers in a directory of the test run, emptied
between tests.

pytest_plugin.py keeps one for a session. While it is in use, the default client and the environment point at
it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ganger import inspect
from ganger.client import Client, known_default_client, set_default_client
from ganger.config import EngineConfig
from ganger.keys import Control
from ganger.testing import MOST
from ganger.throttle.default import set_default_throttles
from gangerd.embedded import binary, wire
from gangerd.embedded.fleet import Fleet

if TYPE_CHECKING:
    from gangerd.worker.solo import Run, Solo


class PracticeServer:
    """`url` is for GANGER_REDIS; `client` pushes there, while it is in use."""

    def __init__(self, directory: Path) -> None:
        self._fleet = Fleet(directory, binary.find)
        self._solo: Solo | None = None
        self.client: Client

    def start(self) -> None:
        """About two seconds. Raises NoServerBinary, ServerFailed."""
        self._fleet.take_over()

    def stop(self) -> None:
        self._fleet.stop()

    @property
    def url(self) -> str:
        assert self._fleet.layout is not None
        return self._fleet.layout.redis_url()

    @property
    def environment(self) -> dict[str, str]:
        """What a program must find there to use these servers: for subprocesses."""
        assert self._fleet.layout is not None
        return {"GANGER_REDIS": self.url, "GANGER_SEMAPHORES": self._fleet.layout.semaphore_url()}

    def empty(self) -> None:
        """Remove all that is in the servers."""
        layout = self._fleet.layout
        assert layout is not None
        for port in [*layout.shards, layout.semaphore]:
            wire.ask(port, layout.password, ("FLUSHALL",), timeout_s=10.0)
        self._fleet.vouch()

    def perform_all(self, most: int = MOST) -> "list[Run]":
        """Run what is ready and what is due in this process, as a worker would, until nothing is left; each
        attempt with what it raised. A failed job goes the way of its policy: its retry is due later. What
        batches are owed is delivered. Raises EndlessDrain after `most` runs, BlockingInLoop in a
        coroutine."""
        if self._solo is None:
            from gangerd.worker.solo import Solo  # a worker's modules, for the tests that want one

            self._solo = Solo(self.client.cluster, self.client.namespace)
        runs = self._solo.perform_all(most)
        while self._deliver():
            runs += self._solo.perform_all(most - len(runs))
        return runs

    def _deliver(self) -> int:
        """As the scheduler does; how many effects were brought to their targets."""
        from gangerd.roles.scheduler.deliveries import outbox_walk

        cluster, namespace = self.client.cluster, self.client.namespace
        walk = outbox_walk(cluster, namespace)
        groups = inspect.all_partitions(cluster, Control(namespace)).values()
        places = [partition for group in groups for partition in group]
        replies = cluster.run_many(walk.commands(places))
        for partition, reply in zip(places, replies, strict=True):
            walk.heard(partition, reply, 0)
        count = 0
        while walk.next_in_ms() == 0:
            count += walk.step()
        return count

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Empty, with a default client of its own: one that knows nothing of an earlier test's queues."""
        self.empty()
        found = EngineConfig.discover({**os.environ, **self.environment})
        # There is no replica that a push could wait for.
        self.client = Client(replace(found, durability="fast"))
        before = known_default_client()
        set_default_client(self.client)
        set_default_throttles(None)
        try:
            yield
        finally:
            set_default_client(before)
            set_default_throttles(None)
            if self._solo is not None:
                self._solo.close()
                self._solo = None
            self.client.close()

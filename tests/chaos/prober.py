"""Who writes to every primary of a cluster all the time and keeps what came of it, for test_nemeses.py."""

import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from chaos.servers import JobServers
from support.server import Server

BOTH = "return redis.call('MGET', KEYS[1], KEYS[2])"


class Prober:
    """`errors` by their class, `longest_s` between question and answer."""

    def __init__(self, cluster: JobServers) -> None:
        self.errors: Counter[str] = Counter()
        self.longest_s = 0.0
        self._over = threading.Event()
        self._asking = threading.Barrier(4)
        self._threads = [
            threading.Thread(
                target=self._ask, args=(cluster.nodes[ident], pairs(cluster, ident)), daemon=True
            )
            for ident in cluster.primaries()
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self._asking.wait(20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(20)

    def _ask(self, server: Server, pairs: list[list[bytes]]) -> None:
        client: redis.Redis[bytes] = redis.Redis(  # type: ignore[type-arg, unused-ignore]
            host=server.host, port=server.port, password=server.password, retry=Retry(NoBackoff(), 0)
        )
        client.ping()
        self._asking.wait(20)
        while not self._over.wait(0.001):
            for pair in pairs:
                begin = time.monotonic()
                try:
                    client.eval(BOTH, 2, *pair)
                    client.set(pair[0], b"again")
                except redis.RedisError as error:
                    self.errors[type(error).__name__] += 1
                self.longest_s = max(self.longest_s, time.monotonic() - begin)
        client.close()


def pairs(cluster: JobServers, ident: str) -> list[list[bytes]]:
    """Two keys of each of its slots that have so many."""
    server = cluster.nodes[ident]
    found = [list(server.call("CLUSTER GETKEYSINSLOT", slot, 2)) for slot in cluster.keyed_slots(ident)]
    return [pair for pair in found if len(pair) == 2]

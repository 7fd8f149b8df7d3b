"""Sees what the servers of a chaos run do, from outside: who serves which slots, and which errors they gave.

A thread asks each node twice a second, with a short patience. What it notes explains duplicates (a replica
that took over may lack the last writes) and counts rare branches, whatever the nemeses say they have done.
"""

import threading
import time
from collections import Counter
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from chaos.nemesis import Note
from chaos.view import Known, read_view

EVERY_S = 0.4
STOOD_NS = 3_000_000_000
"""Who sleeps for so long when it meant a moment was not run at all, nor was anybody else: the machine was
suspended, or far too busy."""
Slots = tuple[tuple[int, int], ...]


class Watch(threading.Thread):
    """`jobs` is the cluster (servers.py)."""

    def __init__(self, jobs: Any, note: Note) -> None:
        super().__init__(name="watch", daemon=True)
        self.errors: Counter[str] = Counter()
        """Error replies by code, of all nodes in all their lives."""
        self.commands = 0
        self._jobs, self._note = jobs, note
        self._clients: dict[int, redis.Redis[bytes]] = {}  # type: ignore[type-arg, unused-ignore]
        self._seen: dict[str, tuple[str, Counter[str]]] = {}
        self._stop_it = threading.Event()
        self._view: dict[str, Known] = {}
        self._runs: dict[str, str] = {}

    def run(self) -> None:
        while True:
            before_ns = time.monotonic_ns()
            if self._stop_it.wait(EVERY_S):
                return
            after_ns = time.monotonic_ns()
            if after_ns - before_ns > STOOD_NS:
                self._note("stood still", begin_ns=before_ns, end_ns=after_ns)
            views = [
                view for ident, server in list(self._jobs.nodes.items()) if (view := self._ask(ident, server))
            ]
            if views:
                # The newest configuration is what all will come to believe.
                self._compare(
                    max(views, key=lambda view: max((known.epoch for known in view.values()), default=0))
                )

    def stop(self) -> None:
        self._stop_it.set()
        self.join(10)

    def _ask(self, ident: str, server: Any) -> dict[str, Known]:
        """What the node says of the cluster; its errors are counted on the way."""
        client = self._clients.get(server.port)
        if client is None:
            client = self._clients[server.port] = redis.Redis(
                host=getattr(server, "host", "127.0.0.1"),
                port=server.port,
                password=server.password,
                retry=Retry(NoBackoff(), 0),
                socket_timeout=0.5,
                socket_connect_timeout=0.5,
            )
        try:
            said: dict[str, Any] = client.info("everything")
            text = client.execute_command("CLUSTER", "NODES")  # type: ignore[no-untyped-call]
        except (redis.RedisError, OSError):
            return {}
        self._count(ident, said)
        return read_view(text.decode() if isinstance(text, bytes) else text)

    def _count(self, ident: str, said: dict[str, Any]) -> None:
        now: Counter[str] = Counter()
        for name, value in said.items():
            if name.startswith("errorstat_"):
                now[name.removeprefix("errorstat_")] = int(value["count"])
        run, before = self._seen.get(ident, ("", Counter()))
        if run != said["run_id"]:
            before = Counter()
        self.errors.update(now - before)
        self._seen[ident] = (said["run_id"], now)

    def _compare(self, view: dict[str, Known]) -> None:
        """Note each stretch that is served by what was a replica of who served it, or by a new life of it."""
        before, self._view = self._view, view
        for ident, known in view.items():
            run = self._seen.get(ident, ("",))[0]
            restarted = ident in self._runs and run != self._runs[ident]
            if run:
                self._runs[ident] = run
            was = before.get(ident)
            if not known.serves or was is None:
                continue
            if restarted and was.serves:
                self._note("failover", slots=known.slots, to=ident, how="restarted")
            elif not was.serves and was.primary_id != "-":
                self._note("failover", slots=known.slots, to=ident, how="promoted")

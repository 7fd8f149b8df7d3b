"""Standalone servers for throttles, and the scripts on one of them called by their own names."""

import signal
from types import TracebackType
from typing import Any, Self

from ganger.keys import RateKeys, SemaphoreKeys
from ganger.scripts import script
from ganger.throttle.server_check import vouch
from support.server import Server, wait_until
from support.servers import Standalone

API = SemaphoreKeys("ganger", "api")
RATE = RateKeys("ganger", "api")
RUN = "ab" * 20
"""A run id for scripts called by hand."""
TTL_MS = 60_000
TOKENS = [f"{number:016x}" for number in range(200)]


class ThrottleServers:
    """Some of them, with a password."""

    def __init__(self, binary: str = "valkey", count: int = 3) -> None:
        self.all = [Standalone(binary, password="open sesame") for _ in range(count)]

    def __enter__(self) -> Self:
        for one in self.all:
            one.start()
        for one in self.all:
            one.wait_ready()
        self.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self.all:
            one.stop()

    @property
    def urls(self) -> list[str]:
        return [one.url for one in self.all]

    @property
    def one(self) -> Server:
        return self.all[0].server

    def flush(self) -> None:
        """Empty them all, and say that there was nothing to forget."""
        for one in self.all:
            one.server.call("FLUSHALL")
            trust(one.server)

    def restart(self, number: int) -> None:
        """Kill it and start it again, empty."""
        server = self.all[number].server
        server.signal(signal.SIGKILL)
        server.start()
        wait_until(server.answers, what="a restarted server")


def trust(server: Server, run: str | None = None) -> None:
    """As if this life of the server had begun long ago."""
    run = run or str(server.client.info("server")["run_id"])
    server.call(*vouch(run))


def call(server: Server, name: str, keys: tuple[bytes, ...], *args: Any) -> Any:
    """One call of a script."""
    made = script(name).command(0, keys, args)
    return server.client.eval(script(name).source.decode(), len(keys), *made.words[3:])


def acquire(
    server: Server,
    token: str,
    *seats: str,
    cap: int = 0,
    run: str = RUN,
    up_ms: int = 0,
    ttl_ms: int = TTL_MS,
    limit: int = 0,
    asker: str = "",
    waited_ms: int = 0,
    stays_ms: int = 0,
) -> Any:
    """One call; of the reply to a grant only what most tests are about, the seat."""
    keys = (*API.all, API.terms, *API.turns)
    turn = (limit or (100 if cap else 3), asker, waited_ms, stays_ms)
    said = call(server, "permit_acquire", keys, run, up_ms, ttl_ms, token, "who", cap, *turn, *seats)
    return said[:2] if said[0] == b"granted" and not limit else said


def renew(
    server: Server,
    token: str,
    seat: str,
    *,
    cap: int = 0,
    run: str = RUN,
    up_ms: int = 0,
    held_ms: int = 0,
    who: str = "who",
) -> Any:
    limit = 100 if cap else 3
    keys = (*API.all, API.terms)
    return call(server, "permit_renew", keys, run, up_ms, TTL_MS, token, who, cap, limit, held_ms, seat)


def release(server: Server, token: str, seat: str, keep_ms: int = 25) -> Any:
    return call(server, "permit_release", (API.taken, API.holders, *API.turns), token, seat, keep_ms)


def snapshot(server: Server) -> dict[bytes, Any]:
    """Every key with its content, scores left out: they are instants."""
    found: dict[bytes, Any] = {}
    for key in server.call("KEYS", "*"):
        match server.client.type(key):
            case b"hash":
                found[key] = dict(server.client.hgetall(key))
            case b"zset":
                found[key] = server.client.zrange(key, 0, -1)
            case _:
                found[key] = server.client.get(key)
    return found


def seats(server: Server) -> dict[str, str]:
    """seat -> token."""
    found: dict[bytes, bytes] = dict(server.call("HGETALL", API.holders))
    assert set(found) == set(server.client.zrange(API.taken, 0, -1))
    return {seat.decode(): record.split(b"|")[0].decode() for seat, record in found.items()}


def expire(server: Server, seat: str) -> None:
    """As if this seat's time were over."""
    server.client.zadd(API.taken, {seat: 1})

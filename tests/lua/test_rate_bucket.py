"""rate_bucket: so many at once, then at a pace; a refusal takes nothing and says when."""

from typing import Any

import pytest

from ganger.keys import THROTTLE_LIFE
from support.server import Server
from support.throttles import RATE, RUN, ThrottleServers, call, snapshot, trust

KEYS = RATE.all("bucket")
HOUR_US = 3_600_000_000


@pytest.fixture(autouse=True)
def trusted(throttle_servers: ThrottleServers) -> None:
    trust(throttle_servers.one, RUN)


def take(
    server: Server, cost: int = 1, *, burst: int = 3, each_us: int = HOUR_US, run: str = RUN, up_ms: int = 0
) -> Any:
    return call(server, "rate_bucket", KEYS, run, up_ms, each_us, burst, cost)


def now_us(server: Server) -> int:
    seconds, micros = server.client.time()
    return int(seconds) * 1_000_000 + int(micros)


def test_a_full_bucket_gives_its_burst_and_no_more(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    assert [take(server)[1] for _ in range(3)] == [2, 1, 0]
    before = snapshot(server)
    word, wait_us = take(server)
    assert word == b"refused" and HOUR_US - 60_000_000 < wait_us <= HOUR_US
    assert snapshot(server) == before
    assert set(before) == {THROTTLE_LIFE, KEYS[1]}


def test_a_cost_is_taken_whole_or_not_at_all(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    before_us = now_us(server)
    word, left, at_us = take(server, 2)
    assert (word, left) == (b"allowed", 1) and before_us <= at_us <= now_us(server)
    before = snapshot(server)
    word, wait_us = take(server, 2)
    assert word == b"refused" and 0 < wait_us <= HOUR_US
    assert snapshot(server) == before
    assert take(server, 1)[:2] == [b"allowed", 0]


def test_it_fills_at_its_pace(throttle_servers: ThrottleServers) -> None:
    """As if an hour and a half had gone by since it was empty."""
    server = throttle_servers.one
    server.client.set(KEYS[1], now_us(server) + 3 * HOUR_US - int(1.5 * HOUR_US))
    assert take(server)[:2] == [b"allowed", 0]
    word, wait_us = take(server)
    assert word == b"refused" and 0.4 * HOUR_US < wait_us <= 0.5 * HOUR_US


def test_it_is_forgotten_when_it_is_full(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    take(server, each_us=60_000_000)
    assert 0 < server.client.pttl(KEYS[1]) <= 61_001


def test_a_new_life_begins_with_an_empty_bucket(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    word, wait_us = take(server, run="cd" * 20)
    assert word == b"refused" and HOUR_US - 60_000_000 < wait_us <= HOUR_US
    assert take(server, run="ef" * 20, up_ms=9_000_000)[:2] == [b"allowed", 1]


def test_a_clock_that_steps_back_does_not_stop_it_for_long(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    server.client.set(KEYS[1], now_us(server) + 1000 * HOUR_US)
    word, wait_us = take(server)
    assert word == b"refused" and wait_us <= HOUR_US

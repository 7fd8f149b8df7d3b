"""rate_window: so many within any period; a refusal notes nothing and says when there is room."""

from typing import Any

import pytest

from ganger.keys import THROTTLE_LIFE
from support.server import Server
from support.throttles import RATE, RUN, ThrottleServers, call, snapshot, trust

KEYS = RATE.all("window")
HOUR_US = 3_600_000_000


@pytest.fixture(autouse=True)
def trusted(throttle_servers: ThrottleServers) -> None:
    trust(throttle_servers.one, RUN)


def take(server: Server, nonce: str, cost: int = 1, *, most: int = 3, run: str = RUN, up_ms: int = 0) -> Any:
    return call(server, "rate_window", KEYS, run, up_ms, HOUR_US, most, cost, nonce)


def now_us(server: Server) -> int:
    seconds, micros = server.client.time()
    return int(seconds) * 1_000_000 + int(micros)


def test_so_many_and_no_more(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    assert take(server, "a", 2) == [b"allowed", 1]
    assert take(server, "b") == [b"allowed", 0]
    before = snapshot(server)
    word, wait_us = take(server, "c")
    assert word == b"refused" and HOUR_US - 60_000_000 < wait_us <= HOUR_US
    assert snapshot(server) == before
    assert before == {THROTTLE_LIFE: f"{RUN}|1|1".encode(), KEYS[1]: [b"a:1", b"a:2", b"b:1"]}
    assert 0 < server.client.pttl(KEYS[1]) <= HOUR_US // 1000 + 1000


def test_a_repeat_changes_nothing(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    take(server, "a", 2)
    before = snapshot(server)
    assert take(server, "a", 2) == [b"allowed", 1]
    assert snapshot(server) == before


def test_there_is_room_when_the_oldest_are_out_of_the_window(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    now = now_us(server)
    server.client.zadd(
        KEYS[1], {"a:1": now - HOUR_US - 1, "b:1": now - HOUR_US // 2, "c:1": now - HOUR_US // 4}
    )
    assert take(server, "d") == [b"allowed", 0]
    word, one_us = take(server, "e")
    _, two_us = take(server, "e", 2)
    assert word == b"refused" and 0.4 * HOUR_US < one_us <= 0.5 * HOUR_US
    assert 0.7 * HOUR_US < two_us <= 0.75 * HOUR_US


def test_a_new_life_begins_with_a_full_log(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    word, wait_us = take(server, "a", run="cd" * 20, up_ms=1_800_000)
    assert word == b"refused" and 0.4 * HOUR_US < wait_us < 0.6 * HOUR_US
    assert set(snapshot(server)) == {THROTTLE_LIFE}
    assert take(server, "a", run="ef" * 20, up_ms=3_601_000)[0] == b"allowed"


def test_a_clock_that_steps_back_does_not_stop_it_for_long(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    far = now_us(server) + 1000 * HOUR_US
    server.client.zadd(KEYS[1], {"a:1": far, "a:2": far, "a:3": far})
    word, wait_us = take(server, "b")
    assert word == b"refused" and wait_us <= HOUR_US


def test_a_life_from_before_the_clock_was_set_back_begins_now(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    ahead_ms = now_us(server) // 1000 + 3_600_000
    server.client.set(THROTTLE_LIFE, f"{RUN}|{ahead_ms}|{ahead_ms}")
    word, wait_us = take(server, "a")
    assert word == b"refused" and wait_us <= HOUR_US + 1000, "a full log, which begins now"
    _, since, began = snapshot(server)[THROTTLE_LIFE].split(b"|")
    assert since == began and int(since) <= now_us(server) // 1000 + 1

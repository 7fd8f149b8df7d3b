"""rate_refund: what was taken and not used comes back, to the life of the server it is from; never more."""

from typing import Any

import pytest

from ganger.keys import THROTTLE_LIFE
from support.server import Server
from support.throttles import RATE, RUN, ThrottleServers, call, snapshot, trust

WINDOW, BUCKET = RATE.all("window"), RATE.all("bucket")
HOUR_US = 3_600_000_000
OTHER = "cd" * 20


@pytest.fixture(autouse=True)
def trusted(throttle_servers: ThrottleServers) -> None:
    trust(throttle_servers.one, RUN)


def window(server: Server, nonce: str, cost: int) -> Any:
    return call(server, "rate_window", WINDOW, RUN, 0, HOUR_US, 5, cost, nonce)


def bucket(server: Server, cost: int) -> Any:
    return call(server, "rate_bucket", BUCKET, RUN, 0, HOUR_US, 5, cost)


def refund(
    server: Server, keys: tuple[bytes, bytes], taken: int, count: int, each_us: int = 0, at_us: int = 0
) -> Any:
    return call(server, "rate_refund", keys, RUN, RUN, "a", taken, count, each_us, at_us)


def now_us(server: Server) -> int:
    seconds, micros = server.client.time()
    return int(seconds) * 1_000_000 + int(micros)


def test_the_last_entries_of_a_window_go_and_no_others(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    window(server, "a", 3)
    window(server, "b", 2)
    after = {THROTTLE_LIFE: f"{RUN}|1|1".encode(), WINDOW[1]: [b"a:1", b"b:1", b"b:2"]}
    for _ in range(2):  # a repeat finds them gone
        assert refund(server, WINDOW, 3, 2) == [b"refunded"]
        assert snapshot(server) == after
    assert window(server, "c", 2) == [b"allowed", 0]


def test_a_bucket_gets_what_it_had_given(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    bucket(server, 1)
    before = int(server.client.get(BUCKET[1]) or 0)
    at_us = bucket(server, 3)[2]
    assert refund(server, BUCKET, 3, 3, HOUR_US, at_us) == [b"refunded"]
    # Less what has flowed in since: a blink.
    assert before <= int(server.client.get(BUCKET[1]) or 0) < before + 60_000_000
    assert server.client.pttl(BUCKET[1]) > 0
    bucket(server, 3)
    part = int(server.client.get(BUCKET[1]) or 0)
    assert refund(server, BUCKET, 3, 1, HOUR_US, now_us(server)) == [b"refunded"]
    assert part - HOUR_US <= int(server.client.get(BUCKET[1]) or 0) < part - HOUR_US + 60_000_000


def test_a_bucket_that_may_have_run_over_since_gets_no_more_than_it_lacked(
    throttle_servers: ThrottleServers,
) -> None:
    server = throttle_servers.one
    bucket(server, 3)
    before = snapshot(server)
    assert refund(server, BUCKET, 3, 3, HOUR_US, now_us(server) - 4 * HOUR_US) == [b"refunded"]
    assert snapshot(server) == before
    assert refund(server, BUCKET, 3, 3, HOUR_US, now_us(server) - 2 * HOUR_US) == [b"refunded"]
    assert bucket(server, 4)[0] == b"refused" and bucket(server, 3)[0] == b"allowed"


@pytest.mark.parametrize("why", ["another process", "emptied"])
def test_another_life_gets_nothing(throttle_servers: ThrottleServers, why: str) -> None:
    server = throttle_servers.one
    window(server, "a", 3)
    if why == "emptied":
        server.call("FLUSHALL")
    run = OTHER if why == "another process" else RUN
    before = snapshot(server)
    assert call(server, "rate_refund", WINDOW, run, RUN, "a", 3, 3, 0, 0) == [b"other"]
    assert snapshot(server) == before

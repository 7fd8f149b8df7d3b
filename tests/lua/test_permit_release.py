"""permit_release: the token's own seat is free, nobody else's is touched."""

import pytest

from support.throttles import API, RUN, TOKENS, ThrottleServers, acquire, call, seats, snapshot, trust

A, B = TOKENS[:2]
KEYS = (API.taken, API.holders)


@pytest.fixture(autouse=True)
def trusted(throttle_servers: ThrottleServers) -> None:
    trust(throttle_servers.one, RUN)


def test_a_seat_is_given_back_once(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    acquire(server, A, "0")
    acquire(server, B, "1")
    assert call(server, "permit_release", KEYS, A, "0") == [b"released"]
    assert seats(server) == {"1": B}
    before = snapshot(server)
    assert call(server, "permit_release", KEYS, A, "0") == [b"gone"]
    assert call(server, "permit_release", KEYS, A, "1") == [b"gone"]
    assert snapshot(server) == before


def test_who_does_not_know_its_seat_gives_back_what_it_has(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    acquire(server, A, "3")
    acquire(server, B, "1")
    assert call(server, "permit_release", KEYS, A, "") == [b"released"]
    assert seats(server) == {"1": B}
    assert call(server, "permit_release", KEYS, A, "") == [b"gone"]

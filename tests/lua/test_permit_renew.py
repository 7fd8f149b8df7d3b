"""permit_renew: a holder's time is lengthened, also where it was forgotten, and never another's."""

import pytest

from support.throttles import (
    API,
    RUN,
    TOKENS,
    ThrottleServers,
    acquire,
    expire,
    renew,
    seats,
    snapshot,
    trust,
)

A, B, C = TOKENS[:3]


@pytest.fixture(autouse=True)
def trusted(throttle_servers: ThrottleServers) -> None:
    trust(throttle_servers.one, RUN)


def test_a_holder_has_its_time_lengthened_and_nothing_else_changes(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    acquire(server, A, "0", ttl_ms=1000)
    before = snapshot(server)
    assert renew(server, A, "0") == [b"renewed"]
    assert snapshot(server) == before
    until = server.client.zscore(API.taken, "0")
    assert until is not None and server.client.pttl(API.taken) > 1000
    assert renew(server, A, "0") == [b"renewed"]


def test_an_empty_server_learns_its_holders_although_it_grants_nothing(
    throttle_servers: ThrottleServers,
) -> None:
    server = throttle_servers.one
    server.client.flushall()
    assert acquire(server, B, "1")[0] == b"young"
    assert renew(server, A, "0", held_ms=5000) == [b"renewed"]
    assert seats(server) == {"0": A}
    record = server.call("HGET", API.holders, "0")
    seconds, micros = server.client.time()
    assert seconds * 1000 + micros // 1000 - int(record.split(b"|")[1]) >= 5000


def test_another_s_seat_is_lost(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    acquire(server, A, "0")
    expire(server, "0")
    acquire(server, B, "0")
    before = snapshot(server)
    assert renew(server, A, "0") == [b"lost"]
    assert snapshot(server) == before


def test_under_a_cap_a_forgotten_holder_comes_back_while_there_is_room(
    throttle_servers: ThrottleServers,
) -> None:
    server = throttle_servers.one
    acquire(server, A, A, cap=2)
    assert renew(server, B, B, cap=2) == [b"renewed"]
    before = snapshot(server)
    assert renew(server, C, C, cap=2) == [b"lost"]
    assert snapshot(server) == before
    assert renew(server, A, A, cap=2) == [b"renewed"]


def test_what_an_operator_took_away_is_not_renewed(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    acquire(server, A, "0")
    server.client.zadd(API.revoked, {A: 9_000_000_000_000})
    before = snapshot(server)
    assert renew(server, A, "0") == [b"revoked"]
    assert snapshot(server) == before


def test_a_holder_says_what_it_is_at_now(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    acquire(server, A, "0")
    token, since, _ = server.call("HGET", API.holders, "0").split(b"|")
    assert renew(server, A, "0", who="at|j2") == [b"renewed"]
    assert server.call("HGET", API.holders, "0") == b"|".join((token, since, b"at|j2"))

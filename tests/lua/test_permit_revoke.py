"""permit_revoke: the permit is renewed no more; its seat is free at its time, or at once."""

import pytest

from support.throttles import (
    API,
    RUN,
    TOKENS,
    TTL_MS,
    ThrottleServers,
    acquire,
    call,
    renew,
    seats,
    snapshot,
    trust,
)

A, B = TOKENS[:2]
KEYS = API.all[1:]


@pytest.fixture(autouse=True)
def trusted(throttle_servers: ThrottleServers) -> None:
    trust(throttle_servers.one, RUN)


def test_the_seat_stays_taken_until_its_time(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    acquire(server, A, "0")
    before = snapshot(server)
    for _ in range(2):
        assert call(server, "permit_revoke", KEYS, TTL_MS, A, "0", 0) == [b"revoked"]
        assert snapshot(server) == before | {API.revoked: [A.encode()]}
    assert renew(server, A, "0") == [b"revoked"]
    assert acquire(server, B, "0")[0] == b"full"
    assert 0 < server.client.pttl(API.revoked) <= TTL_MS


def test_at_once_it_is_free(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    acquire(server, A, "0")
    acquire(server, B, "1")
    call(server, "permit_revoke", KEYS, TTL_MS, A, "0", 1)
    call(server, "permit_revoke", KEYS, TTL_MS, A, "1", 1)
    assert seats(server) == {"1": B}
    assert renew(server, A, "0") == [b"revoked"]


def test_it_is_forgotten_when_no_copy_of_the_permit_can_be_about(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    call(server, "permit_revoke", KEYS, TTL_MS, A, "0", 0)
    server.client.zadd(API.revoked, {A: 1})
    acquire(server, B, "1")
    assert API.revoked not in snapshot(server)

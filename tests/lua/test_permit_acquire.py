"""permit_acquire: the first free seat; nothing while this server may have forgotten a holder."""

import pytest

from ganger.keys import THROTTLE_LIFE
from support.server import Server
from support.throttles import (
    API,
    RUN,
    TOKENS,
    TTL_MS,
    ThrottleServers,
    acquire,
    expire,
    seats,
    snapshot,
    trust,
)

A, B, C = TOKENS[:3]
FAR_MS = 9_000_000_000_000


def soon_ms(server: Server) -> int:
    """Within a minute, as long as a turn may be kept."""
    return int(server.client.time()[0]) * 1000 + 50_000


@pytest.fixture(autouse=True)
def trusted(throttle_servers: ThrottleServers) -> None:
    trust(throttle_servers.one, RUN)


def test_a_grant_takes_the_first_free_seat_and_names_its_holder(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    assert acquire(server, A, "1", "0") == [b"granted", b"1"]
    found = snapshot(server)
    token, since, who = found[API.holders].pop(b"1").split(b"|")
    assert (token.decode(), who) == (A, b"who") and int(since) > 0
    assert found == {
        THROTTLE_LIFE: f"{RUN}|1|1".encode(),
        API.taken: [b"1"],
        API.holders: {},
        API.terms: b"3",
    }
    assert acquire(server, B, "1", "0") == [b"granted", b"0"]
    for key in (API.taken, API.holders, API.terms):
        assert 0 < server.client.pttl(key) <= TTL_MS


def test_a_full_semaphore_says_when_and_what_is_taken_and_stays_as_it_is(
    throttle_servers: ThrottleServers,
) -> None:
    server = throttle_servers.one
    acquire(server, A, "0", "1")
    acquire(server, B, "0", "1")
    before = snapshot(server)
    word, wait_ms, *taken = acquire(server, C, "0", "1")
    assert (word, set(taken)) == (b"full", {b"0", b"1"}) and 0 < wait_ms <= TTL_MS
    assert acquire(server, C, "1")[0] == b"full"
    assert snapshot(server) == before


def test_a_repeat_keeps_its_seat_and_lengthens_its_time(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    acquire(server, A, "0", "1", ttl_ms=1000)
    before = snapshot(server)
    assert acquire(server, A, "0", "1") == [b"granted", b"0"]
    assert snapshot(server) == before
    assert server.client.pttl(API.taken) > 1000


def test_a_seat_whose_time_is_over_is_free(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    acquire(server, A, "0")
    expire(server, "0")
    assert acquire(server, B, "0") == [b"granted", b"0"]
    assert seats(server) == {"0": B}


def test_under_a_cap_tokens_are_counted(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    for token in (A, B):
        assert acquire(server, token, token, cap=2) == [b"granted", token.encode()]
    before = snapshot(server)
    word, wait_ms = acquire(server, C, C, cap=2)
    assert word == b"full" and 0 < wait_ms <= TTL_MS
    assert snapshot(server) == before
    assert acquire(server, A, A, cap=2)[0] == b"granted"


def test_what_an_operator_took_away_is_not_granted_again(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    server.client.zadd(API.revoked, {A: 9_000_000_000_000})
    before = snapshot(server)
    assert acquire(server, A, "0") == [b"revoked"]
    assert snapshot(server) == before


def test_an_emptied_server_grants_nothing_for_a_ttl(throttle_servers: ThrottleServers) -> None:
    """Its own life is long, but the marker is gone: so are, it must be feared, the holders."""
    server = throttle_servers.one
    server.client.flushall()
    word, wait_ms = acquire(server, A, "0", up_ms=10 * TTL_MS)
    assert word == b"young" and TTL_MS - 1000 < wait_ms <= TTL_MS
    assert set(snapshot(server)) == {THROTTLE_LIFE}
    before = snapshot(server)
    assert acquire(server, A, "0", up_ms=10 * TTL_MS)[0] == b"young"
    assert snapshot(server) == before


def test_a_restarted_server_grants_when_it_is_older_than_a_ttl(throttle_servers: ThrottleServers) -> None:
    """Another run id than the marker's: its last writes may be missing."""
    server = throttle_servers.one
    word, wait_ms = acquire(server, A, "0", run="cd" * 20, up_ms=TTL_MS - 10_000)
    assert word == b"young" and 9_000 < wait_ms <= 10_000
    assert acquire(server, A, "0", run="ef" * 20, up_ms=TTL_MS) == [b"granted", b"0"]


def test_a_young_server_knows_a_holder_of_its_own(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    acquire(server, A, "0")
    assert acquire(server, A, "0", run="cd" * 20) == [b"granted", b"0"]
    assert acquire(server, B, "1", run="cd" * 20)[0] == b"young"


def test_who_waits_is_noted_and_one_that_does_not_stay_is_not(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    acquire(server, A, "0")
    before = snapshot(server)
    assert acquire(server, B, "0", asker="b")[0] == b"full"
    assert snapshot(server) == before
    assert acquire(server, B, "0", asker="b", waited_ms=500, stays_ms=3000)[0] == b"full"
    since, until = noted(server)[b"b"].split(b"|")
    assert int(until) - int(since) == 3500
    assert server.client.pttl(API.waiting) > 0
    expire(server, "0")
    assert acquire(server, B, "0", asker="b") == [b"granted", b"0"]
    assert noted(server) == {}


def test_a_seat_is_kept_for_who_was_woken_and_for_nobody_for_long(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    server.client.zadd(API.woken, {"b": soon_ms(server)})
    # Of three one is kept: two are there for all.
    assert acquire(server, A, "0", "1", "2", asker="a") == [b"granted", b"0"]
    assert acquire(server, C, "1", "2", asker="c") == [b"granted", b"1"]
    assert acquire(server, TOKENS[3], "0", "1", "2", asker="c")[0] == b"full"
    assert acquire(server, B, "0", "1", "2", asker="b") == [b"granted", b"2"]
    assert server.client.zcard(API.woken) == 0
    server.client.zadd(API.woken, {"d": 1})
    expire(server, "0")
    assert acquire(server, TOKENS[4], "0", asker="c") == [b"granted", b"0"]


def test_a_seat_that_another_server_has_picked_is_kept_for_nobody(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    server.client.zadd(API.woken, {"b": soon_ms(server)})
    assert acquire(server, A, "0") == [b"granted", b"0"]


def test_under_a_cap_a_place_is_kept_as_well(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    server.client.zadd(API.woken, {"b": soon_ms(server)})
    assert acquire(server, A, A, cap=2, asker="a")[0] == b"granted"
    assert acquire(server, C, C, cap=2, asker="a")[0] == b"full"
    assert acquire(server, B, B, cap=2, asker="b")[0] == b"granted"


def test_another_limit_is_told_and_one_that_is_counted_otherwise_refused(
    throttle_servers: ThrottleServers,
) -> None:
    server = throttle_servers.one
    assert acquire(server, A, "0", limit=5) == [b"granted", b"0", b"5"]
    assert acquire(server, B, "1", limit=3) == [b"granted", b"1", b"5"]
    assert acquire(server, C, "2", limit=3) == [b"granted", b"2", b"3"]
    before = snapshot(server)
    assert acquire(server, TOKENS[3], TOKENS[3], limit=100, cap=66) == [b"other", b"3"]
    assert snapshot(server) == before
    for seat in ("0", "1", "2"):
        expire(server, seat)
    assert acquire(server, TOKENS[3], TOKENS[3], limit=100, cap=66)[0] == b"granted"
    assert acquire(server, A, "0", limit=3) == [b"other", b"100"]


def noted(server: Server) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = snapshot(server).get(API.waiting, {})
    return found


def test_a_vote_from_before_the_clock_was_set_back_lasts_no_longer_than_one_given_now(
    throttle_servers: ThrottleServers,
) -> None:
    """Its holder is gone, and can't give it back; nor can whoever was to have the seat next."""
    server = throttle_servers.one
    acquire(server, A, "0")
    server.client.zadd(API.taken, {"0": FAR_MS})
    server.client.zadd(API.woken, {"gone": FAR_MS})
    server.client.persist(API.taken)
    word, wait_ms, *_ = acquire(server, B, "0")
    assert word == b"full" and 0 < wait_ms <= TTL_MS
    expire(server, "0")
    assert acquire(server, B, "0", asker="b")[0] == b"granted"

"""permit_release: the token's own seat is free, nobody else's is touched."""

import pytest

from support.throttles import API, RUN, TOKENS, ThrottleServers, acquire, release, seats, snapshot, trust

A, B = TOKENS[:2]


@pytest.fixture(autouse=True)
def trusted(throttle_servers: ThrottleServers) -> None:
    trust(throttle_servers.one, RUN)


def test_a_seat_is_given_back_once(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    acquire(server, A, "0")
    acquire(server, B, "1")
    assert release(server, A, "0") == [b"released"]
    assert seats(server) == {"1": B}
    before = snapshot(server)
    assert release(server, A, "0") == [b"gone"]
    assert release(server, A, "1") == [b"gone"]
    assert snapshot(server) == before


def test_who_does_not_know_its_seat_gives_back_what_it_has(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    acquire(server, A, "3")
    acquire(server, B, "1")
    assert release(server, A, "") == [b"released"]
    assert seats(server) == {"1": B}
    assert release(server, A, "") == [b"gone"]


def test_who_has_waited_longest_is_woken_and_has_the_seat_for_a_moment(
    throttle_servers: ThrottleServers,
) -> None:
    server = throttle_servers.one
    heard = server.client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    heard.subscribe(API.waiting)
    assert heard.get_message(timeout=5) is None  # it is on the list
    acquire(server, A, "0")
    acquire(server, B, "0", asker="late", waited_ms=10, stays_ms=3000)
    acquire(server, B, "0", asker="early", waited_ms=500, stays_ms=3000)
    server.client.hset(API.waiting, "gone", "1|2")
    assert release(server, A, "0") == [b"released"]
    found = snapshot(server)
    assert (list(found[API.waiting]), found[API.woken]) == ([b"late"], [b"early"])
    message = heard.get_message(timeout=5)
    assert message is not None and message["data"] == b"early late 25"
    assert server.client.pttl(API.woken) > 0
    heard.close()


def test_nobody_is_woken_for_what_was_not_held_nor_by_a_try_that_failed(
    throttle_servers: ThrottleServers,
) -> None:
    server = throttle_servers.one
    acquire(server, A, "0")
    acquire(server, B, "0", asker="b", stays_ms=3000)
    before = snapshot(server)
    assert release(server, B, "0") == [b"gone"]
    assert snapshot(server) == before
    assert release(server, A, "0", keep_ms=0) == [b"released"]
    assert list(snapshot(server)[API.waiting]) == [b"b"]

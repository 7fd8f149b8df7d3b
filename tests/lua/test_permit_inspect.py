"""permit_inspect: who holds what; it changes nothing."""

import pytest

from support.throttles import API, RUN, TOKENS, ThrottleServers, acquire, call, expire, snapshot, trust

A, B, C = TOKENS[:3]


@pytest.fixture(autouse=True)
def trusted(throttle_servers: ThrottleServers) -> None:
    trust(throttle_servers.one, RUN)


def test_seats_with_their_holders(throttle_servers: ThrottleServers) -> None:
    server = throttle_servers.one
    assert call(server, "permit_inspect", API.all[1:])[0::2] == [b"seats"]
    for number, token in enumerate((A, B, C)):
        acquire(server, token, str(number))
    expire(server, "1")
    server.client.zadd(API.revoked, {C: 9_000_000_000_000})
    before = snapshot(server)
    word, now, *rows = call(server, "permit_inspect", API.all[1:])
    assert word == b"seats" and len(rows) == 8
    found = {rows[place]: rows[place + 1 : place + 4] for place in (0, 4)}
    assert set(found) == {b"0", b"2"}
    until, record, revoked = found[b"2"]
    assert int(until) > now and record.split(b"|")[::2] == [C.encode(), b"who"] and revoked == 1
    assert found[b"0"][2] == 0
    assert snapshot(server) == before

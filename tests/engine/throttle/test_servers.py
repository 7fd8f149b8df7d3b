"""What the connections to the servers live through: scripts flushed, connections closed, late
answers, a full server."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from chaos.ailments import Ailment, no_connections, no_disk, other_password, read_only, slow
from ganger.throttle.holders import Holder
from ganger.throttle.quorum import Refused
from ganger.throttle.semaphore import Permit, Semaphore, renew
from ganger.throttle.servers import Servers
from support.throttles import ThrottleServers
from support.waiting import until

ME = Holder("here", "a" * 16)


@pytest.fixture
def own() -> Iterator[ThrottleServers]:
    """Servers that a test may pause."""
    with ThrottleServers() as made:
        yield made


@pytest.fixture
def servers(throttle_servers: ThrottleServers) -> Iterator[Servers]:
    made = Servers(throttle_servers.urls, answer_s=2.0)
    yield made
    made.close()


def permit_of(semaphore: Semaphore) -> Permit:
    outcome = semaphore.attempt(ME)
    assert isinstance(outcome, Permit), outcome
    return outcome


def test_scripts_that_a_server_has_forgotten_are_sent_again(
    servers: Servers, throttle_servers: ThrottleServers
) -> None:
    api = Semaphore(servers, "ganger", "api", 3)
    permit_of(api)
    for one in throttle_servers.all:
        one.server.call("SCRIPT", "FLUSH")
    permit = permit_of(api)
    assert renew(servers, [permit]) == []
    api.release(permit)
    assert len(api.inspect()) == 1


def test_closed_connections_are_made_anew_at_once(
    servers: Servers, throttle_servers: ThrottleServers
) -> None:
    api = Semaphore(servers, "ganger", "api", 3)
    permit_of(api)
    for one in throttle_servers.all:
        one.server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    permit = permit_of(api)
    renew(servers, [permit])
    assert [seat.votes for seat in api.inspect()] == [3, 3]
    servers.close()
    permit_of(api)


def test_an_answer_that_comes_after_its_time_is_heard_all_the_same(own: ThrottleServers) -> None:
    """The votes of two servers make the permit, the third one's comes in a later conversation."""
    servers = Servers(own.urls, answer_s=0.3)
    api = Semaphore(servers, "ganger", "api", 1)
    servers.check()
    last = servers.lines[servers.order(api._turn)[-1]]
    paused = next(one.server for one in own.all if one.server.port == last.place.port)
    paused.signal(signal.SIGSTOP)
    permit = permit_of(api)
    assert len(permit.holding._votes) == 2
    paused.signal(signal.SIGCONT)
    until(lambda: bool(api.inspect()) and len(permit.holding._votes) == 3, "the late vote is heard")


def test_an_answer_that_waits_unread_is_no_silence(own: ThrottleServers) -> None:
    """The third server answered when the conversation was over, and the next one comes much later."""
    servers = Servers(own.urls, answer_s=0.3)
    api = Semaphore(servers, "ganger", "api", 1)
    servers.check()
    last = servers.lines[servers.order(api._turn)[-1]]
    slow = next(one.server for one in own.all if one.server.port == last.place.port)
    slow.signal(signal.SIGSTOP)
    permit = permit_of(api)
    slow.signal(signal.SIGCONT)
    time.sleep(1.5)  # the subject: nobody listens for longer than a connection is waited for
    assert renew(servers, [permit]) == []
    assert len(permit.holding._votes) == 3 and last.well


def test_a_full_server_renews_and_grants_on(own: ThrottleServers) -> None:
    """What is kept of a permit is small, and must be kept."""
    for one in own.all:
        one.server.call("CONFIG", "SET", "maxmemory", "1")
    api = Semaphore(Servers(own.urls, answer_s=2.0), "ganger", "api", 2)
    permits = [permit_of(api), permit_of(api)]
    assert renew(api.servers, permits) == []
    assert isinstance(api.attempt(ME), Refused)


@pytest.mark.parametrize("ailment", [no_connections, other_password, no_disk, read_only, slow])
def test_one_of_three_that_ails_and_is_well_again(own: ThrottleServers, ailment: Ailment) -> None:
    """Permits are to be had with the two others; then all three have a vote again."""
    servers = Servers(own.urls, answer_s=2.0)
    api = Semaphore(servers, "ganger", "api", 1)
    api.release(permit_of(api))
    with ailment(own.one):
        permit = permit_of(api)
        assert not renew(servers, [permit])
        api.release(permit)
    permit = permit_of(api)
    until(lambda: not renew(servers, [permit]) and api.inspect()[0].votes == 3, "all three")


def test_at_the_first_use_a_server_that_is_full_of_clients_is_one_that_is_away(own: ThrottleServers) -> None:
    servers = Servers(own.urls, answer_s=2.0)
    with no_connections(own.one):
        servers.check()
        permit_of(Semaphore(servers, "ganger", "api", 1))


def test_at_the_first_use_a_server_that_is_busy_is_one_that_is_away(own: ThrottleServers) -> None:
    own.one.call("CONFIG SET", "busy-reply-threshold", 20)
    with ThreadPoolExecutor(1) as beside:
        busy = beside.submit(own.one.client.eval, "while true do end", 0)
        look = redis.Redis(port=own.one.port, password=own.one.password)
        until(lambda: _code(look) == "BUSY", "a script that is too long")
        servers = Servers(own.urls, answer_s=2.0)
        servers.check()
        permit_of(Semaphore(servers, "ganger", "api", 1))
        look.script_kill()
        assert "killed" in str(busy.exception(20))


def _code(client: Any) -> str:
    try:
        client.ping()
    except redis.ResponseError as error:
        return str(error).partition(" ")[0]
    return ""


def test_a_server_that_answers_with_errors_is_no_vote_and_is_named(own: ThrottleServers) -> None:
    servers = Servers(own.urls, answer_s=2.0)
    api = Semaphore(servers, "ganger", "api", 1)
    api.release(permit_of(api))
    for one in own.all[:2]:
        one.server.call("SET", api.keys.taken, "no sorted set")
    refused = api.attempt(ME)
    assert isinstance(refused, Refused) and refused.why == "quorum"
    assert "WRONGTYPE" in str(api.refusal(refused))

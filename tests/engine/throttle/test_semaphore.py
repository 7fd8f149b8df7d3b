"""A semaphore on three real servers: acquire, renew, release, take away, look; what each server may be."""

import signal
from collections.abc import Iterator

import pytest

from ganger.errors import BadOptions, BadSettings, BadThrottleServer, NoPermit, NotConfigured, QuorumLost
from ganger.throttle.holders import Holder
from ganger.throttle.quorum import Refused
from ganger.throttle.semaphore import Permit, Semaphore, attempt_all, release_all, renew
from ganger.throttle.servers import Servers
from support.servers import Standalone, free_port
from support.throttles import ThrottleServers
from support.waiting import until

ME = Holder("here", "a" * 16, jid="j1", note="a test")


@pytest.fixture
def servers(throttle_servers: ThrottleServers) -> Iterator[Servers]:
    made = Servers(throttle_servers.urls, answer_s=2.0)
    yield made
    made.close()


@pytest.fixture
def own(request: pytest.FixtureRequest) -> Iterator[ThrottleServers]:
    """Servers that a test may kill."""
    with ThrottleServers() as made:
        yield made


def taken(outcome: Permit | Refused) -> Permit:
    assert isinstance(outcome, Permit), outcome
    return outcome


@pytest.mark.parametrize("limit", [1, 3, 64, 70])
def test_the_full_limit_and_not_one_more(servers: Servers, limit: int) -> None:
    api = Semaphore(servers, "ganger", "api", limit)
    permits = [taken(api.attempt(ME)) for _ in range(limit)]
    assert all(permit.valid for permit in permits)
    refused = api.attempt(ME)
    assert isinstance(refused, Refused) and refused.why == "full"
    assert isinstance(api.refusal(refused), NoPermit)
    api.release(permits[0])
    assert not permits[0].valid
    taken(api.attempt(ME))


def test_two_names_and_two_namespaces_are_apart(servers: Servers) -> None:
    for namespace in ("ganger", "other"):
        for name in ("api", "mail"):
            taken(Semaphore(servers, namespace, name, 1).attempt(ME))


def test_inspect_says_who_holds_what_since_when(servers: Servers) -> None:
    api = Semaphore(servers, "ganger", "api", 2)
    assert api.inspect() == []
    permit = taken(api.attempt(ME))
    (seat,) = api.inspect()
    assert (seat.token, seat.holder, seat.votes, seat.revoked) == (permit.token, ME, 3, False)
    assert 0 <= seat.held_ms < 60_000 and 0 < seat.left_ms <= 10_000


def test_a_renewal_lengthens_many_at_once(servers: Servers) -> None:
    one, many = Semaphore(servers, "ganger", "one", 1), Semaphore(servers, "ganger", "many", 70)
    permits = [taken(one.attempt(ME)), taken(many.attempt(ME)), taken(many.attempt(ME))]
    before = [permit.holding.valid_until_ms() for permit in permits]
    assert renew(servers, permits) == []
    assert all(p.holding.valid_until_ms() > old for p, old in zip(permits, before, strict=True))


def test_many_are_tried_for_and_given_back_at_once(servers: Servers) -> None:
    one, two = Semaphore(servers, "ganger", "one", 1), Semaphore(servers, "ganger", "two", 2)
    got = attempt_all(servers, [(one, ME), (one, ME), (two, ME), (two, ME)])
    permits = [each for each in got if isinstance(each, Permit)]
    assert [each.semaphore for each in permits] == [one, two, two]
    release_all(servers, permits)
    assert one.inspect() == two.inspect() == []


def test_a_renewal_tells_what_its_holder_is_at(servers: Servers) -> None:
    api = Semaphore(servers, "ganger", "api", 1)
    permit = taken(api.attempt(ME))
    permit.holder = Holder("here", "a" * 16, jid="j2")
    renew(servers, [permit])
    assert [seat.holder for seat in api.inspect()] == [permit.holder]


def test_a_permit_taken_away_is_lost_and_its_seat_free_at_its_time(servers: Servers) -> None:
    api = Semaphore(servers, "ganger", "api", 1)
    permit = taken(api.attempt(ME))
    assert api.force_release(permit.token)
    assert not api.force_release("no such token")
    assert isinstance(api.attempt(ME), Refused)
    assert api.inspect()[0].revoked
    assert renew(servers, [permit]) == [permit] and permit.holding.revoked


def test_at_once_its_seat_is_free_now(servers: Servers) -> None:
    api = Semaphore(servers, "ganger", "api", 1)
    permit = taken(api.attempt(ME))
    assert api.force_release(permit.token, at_once=True)
    taken(api.attempt(ME))
    assert renew(servers, [permit]) == [permit]


@pytest.mark.parametrize("limit", [2, 70])
def test_one_server_away_costs_no_capacity_below_64(own: ThrottleServers, limit: int) -> None:
    servers = Servers(own.urls, answer_s=0.5)
    api = Semaphore(servers, "ganger", "api", limit)
    own.all[0].server.signal(signal.SIGKILL)
    permits = [taken(api.attempt(ME)) for _ in range(2)]
    assert renew(servers, permits) == []
    if limit == 2:
        assert isinstance(api.attempt(ME), Refused)


def test_a_paused_server_is_waited_for_once(own: ThrottleServers) -> None:
    servers = Servers(own.urls, answer_s=0.3)
    api = Semaphore(servers, "ganger", "api", 2)
    servers.check()
    gate = servers.order(api._turn)[0]
    line = servers.lines[gate]
    server = next(one.server for one in own.all if one.server.port == line.place.port)
    server.signal(signal.SIGSTOP)
    first = taken(api.attempt(ME))
    assert not line.well and servers.order(api._turn)[-1] == gate
    second = taken(api.attempt(ME))
    server.signal(signal.SIGCONT)
    for permit in (first, second):
        api.release(permit)
    until(lambda: line.well or bool(api.inspect() is None), "the gate is well again")


def test_without_a_quorum_nothing_is_granted(own: ThrottleServers) -> None:
    servers = Servers(own.urls)
    api = Semaphore(servers, "ganger", "api", 2)
    permit = taken(api.attempt(ME))
    for one in own.all[:2]:
        one.server.signal(signal.SIGKILL)
    refused = api.attempt(ME)
    assert isinstance(refused, Refused) and refused.why == "quorum"
    error = api.refusal(refused)
    assert isinstance(error, QuorumLost) and str(own.all[0].server.port) in str(error)
    with pytest.raises(QuorumLost):
        api.inspect()
    assert permit.valid
    api.release(permit)


def test_a_restarted_empty_server_grants_nothing_but_learns_its_holders(own: ThrottleServers) -> None:
    servers = Servers(own.urls, answer_s=2.0)
    api = Semaphore(servers, "ganger", "api", 2)
    permit = taken(api.attempt(ME))
    renew(servers, [permit])
    for number in (0, 1):
        own.restart(number)
    refused = api.attempt(ME)
    assert isinstance(refused, Refused) and refused.why in ("young", "quorum")
    until(lambda: not renew(servers, [permit]) and api.inspect()[0].votes == 3, "all know the holder again")
    refused = api.attempt(ME)
    assert isinstance(refused, Refused) and refused.why == "young"
    assert "have started, or were emptied" in str(api.refusal(refused))


# ---- what a server must be ------------------------------------------------------------------------------


def test_one_server_named_twice_is_refused(throttle_servers: ThrottleServers) -> None:
    url = throttle_servers.urls[0]
    twice = [url, url.replace("127.0.0.1", "localhost"), throttle_servers.urls[1]]
    with pytest.raises(BadThrottleServer, match="the same server"):
        Servers(twice).check()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--cluster-enabled", "yes"], "cluster mode"),
        (["--replicaof", f"127.0.0.1 {free_port()}"], "a replica"),
        (["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"], "noeviction"),
    ],
)
def test_a_server_that_would_forget_is_refused(options: list[str], said: str) -> None:
    with Standalone(options=options) as bad, pytest.raises(BadThrottleServer, match=said):
        Semaphore(Servers([bad.url]), "ganger", "api", 1).attempt(ME)


def test_a_wrong_password_is_told_and_not_shown(throttle_servers: ThrottleServers) -> None:
    urls = [url.replace("open sesame", "s3cret") for url in throttle_servers.urls]
    with pytest.raises(BadThrottleServer, match="password") as caught:
        Servers(urls).check()
    assert "s3cret" not in str(caught.value)
    bare = [f"redis://127.0.0.1:{one.server.port}" for one in throttle_servers.all]
    with pytest.raises(BadThrottleServer, match="NOAUTH"):
        Servers(bare).check()


def test_a_server_that_is_away_at_the_start_is_no_mistake(throttle_servers: ThrottleServers) -> None:
    urls = [*throttle_servers.urls[:2], f"redis://127.0.0.1:{free_port()}"]
    taken(Semaphore(Servers(urls, answer_s=2.0), "ganger", "api", 1).attempt(ME))


def test_settings_that_can_t_be() -> None:
    with pytest.raises(NotConfigured, match="GANGER_SEMAPHORES"):
        Servers([])
    with pytest.raises(BadSettings, match="one server"):
        Servers(["redis://a:1,b:2"])
    for limit in (0, True, 1.5, 10**7):
        with pytest.raises(BadOptions):
            Semaphore(Servers(["redis://a"]), "ganger", "api", limit)  # type: ignore[arg-type]

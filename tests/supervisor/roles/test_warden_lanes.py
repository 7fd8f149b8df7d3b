"""Passes for lanes: which ones a host serves, and how seldom it asks where a limit is used up; real servers
for semaphores."""

from collections.abc import Iterator

import pytest

from ganger.operations.lanes import Lane, key_digest, lane_id
from gangerd.config import Limit
from gangerd.passes import PassState
from gangerd.roles.coordinator.limits import limited_queues
from gangerd.roles.coordinator.offers import OFFER_MS
from support.limited_host import LINES, MAIL, Host, Hosts, many_hosts, now_ns
from support.throttles import ThrottleServers

API = Limit(type="shop.send", concurrency=1)
BY_TENANT = Limit("mail", 1, limit_key="args.tenant")


@pytest.fixture
def hosts(throttle_servers: ThrottleServers) -> Iterator[Hosts]:
    with many_hosts(throttle_servers.urls) as made:
        yield made


def lane(type: str = "shop.send", tenant: str = "") -> Lane:
    key = key_digest("args.tenant", tenant) if tenant else ""
    return Lane(lane_id(type, key), type, key, 1, 5)


def limit(host: Host, **rules: Limit) -> None:
    host.warden.limit(limited_queues(LINES, rules))


def found(host: Host, *lanes: Lane) -> None:
    host.warden.found(2, "", sorted(lanes), "")


def take(host: Host, slot: int = 0) -> int | None:
    return host.passes.take(MAIL, slot, 0xB0 + slot, laned=True)


def test_a_lane_whose_limit_this_host_does_not_know_is_left_to_others(hosts: Hosts) -> None:
    host = hosts(api=API)
    host.sleepers(2)
    found(host, lane("shop.pay"), lane(tenant="acme"))  # another host limits them, and by key
    host.tick()
    assert host.states() == []
    found(host, lane("shop.pay"), lane())
    host.tick()
    assert host.states() == [PassState.OFFERED]
    number = take(host)
    assert number is not None and host.passes.track(number).lane == int(lane().id, 16)


def test_a_limit_that_many_lanes_share_is_asked_for_once_for_all(hosts: Hosts) -> None:
    host = hosts()
    limit(host, api=API, tenant=BY_TENANT)
    host.sleepers(4)
    found(host, *(lane(tenant=f"t{number}") for number in range(50)))
    host.tick()
    assert host.states() == [PassState.OFFERED]
    number = take(host)
    assert number is not None
    now = now_ns()
    for _ in range(5):
        host.warden.tick(now)
    assert host.warden.figures.refused["full"] <= 2
    # Its return frees all of them, wherever they are.
    host.passes.spend(number)
    host.warden.tick(now)
    host.warden.tick(now)
    assert host.states() == [PassState.OFFERED] and host.warden.figures.refused["full"] <= 4


def test_a_limit_on_the_queue_holds_its_lanes_up_without_a_question_for_each(hosts: Hosts) -> None:
    host = hosts()
    limit(host, mail=Limit("mail", 1), tenant=BY_TENANT)
    host.sleepers(4)
    found(host, *(lane(tenant=f"t{number}") for number in range(50)))
    host.tick()
    assert take(host) is not None
    now = now_ns()
    for _ in range(5):
        host.warden.tick(now)
    assert host.warden.figures.refused["full"] <= 2


def test_a_lane_for_which_nobody_came_waits_a_while(hosts: Hosts) -> None:
    host = hosts()
    limit(host, tenant=BY_TENANT)
    host.sleepers(1)
    found(host, lane(tenant="acme"))
    now = now_ns()
    host.warden.tick(now)
    assert host.states() == [PassState.OFFERED]
    for ms in (1, 2):
        host.warden.tick(now + (OFFER_MS + ms) * 1_000_000)
        assert host.states() == []
    host.warden.tick(now + (2 * OFFER_MS + 9) * 1_000_000)
    assert host.states() == [PassState.OFFERED] and host.warden.figures.untaken == 1


def test_by_a_pass_for_a_lane_of_another_argument_nobody_claims_any_more(hosts: Hosts) -> None:
    host = hosts()
    limit(host, tenant=BY_TENANT)
    host.sleepers(2)
    found(host, lane(tenant="acme"))
    host.tick()
    number = take(host)
    assert number is not None and host.passes.valid_ns(number) > now_ns()
    limit(host, tenant=Limit("mail", 1, limit_key="args.customer"))
    host.tick()
    assert host.passes.valid_ns(number) == 0 and host.states() == [PassState.TAKEN]
    found(host, lane(tenant="acme"), lane(tenant="other"))
    host.tick()
    assert host.states() == [PassState.TAKEN]


def test_a_host_that_waits_for_others_looks_at_its_table_seldom(hosts: Hosts) -> None:
    one, other = hosts(), hosts()
    for host in (one, other):
        limit(host, tenant=BY_TENANT)
        host.sleepers(1)
        found(host, lane(tenant="acme"))
        host.tick()
    assert other.states() == []
    pauses = []
    now = now_ns()
    for _ in range(12):
        pauses.append(other.warden.tick(now))
        now += int(pauses[-1] * 1_000_000)
    assert max(pauses) > 60
    found(other, lane(tenant="other"))
    other.warden.tick(now)
    assert other.states() == [PassState.OFFERED]

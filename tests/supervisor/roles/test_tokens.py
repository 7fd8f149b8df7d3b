"""Passes of a queue with a rate: how many jobs each lets begin, what goes back, when nothing is asked for."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ganger.keys import RateKeys
from ganger.throttle.rate import Tap
from ganger.throttle.shares import Rate, parse_rate
from gangerd.config import Limit
from gangerd.passes import UNBOUND, PassState
from gangerd.roles.coordinator import tokens
from gangerd.roles.coordinator.warden import TICK_MS
from support.limited_host import MAIL, Host, Hosts, many_hosts, now_ns
from support.throttles import ThrottleServers
from support.waiting import until

KEYS = RateKeys("ganger", "limit:pace")


@pytest.fixture
def hosts(throttle_servers: ThrottleServers) -> Iterator[Hosts]:
    with many_hosts(throttle_servers.urls) as made:
        yield made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What each trip to the servers wanted of a rate."""
    found: list[int] = []
    take = Tap._take

    def counted(tap: Tap, server: int, cost: int) -> Any:
        found.append(cost)
        return take(tap, server, cost)

    monkeypatch.setattr(Tap, "_take", counted)
    return found


def paced(hosts: Hosts, rate: str, burst: int = 0, *, alone: bool = True) -> Host:
    """A host whose queue has a rate, and no other limit."""
    limits = {"pace": Limit("mail", rate=rate, burst=burst)}
    host = hosts(limit=3, **limits)
    if alone:
        host.limits = limits
        host.begin()
    host.sleepers(4)
    host.work(0, 1, 2, 3)
    return host


def tick_until(host: Host, condition: Callable[[], bool], what: str, after_ms: float = 0) -> None:
    def ticked() -> bool:
        host.tick(after_ms)
        return condition()

    until(ticked, what)


def spent(servers: ThrottleServers) -> int:
    """Tokens of the window that are out, over all servers."""
    return sum(int(each.server.client.zcard(KEYS.all("window")[1]) or 0) for each in servers.all)


def uses(host: Host) -> list[int]:
    return [host.passes.uses(number) for number, _ in host.passes.rows()]


@pytest.mark.parametrize(
    ("rate", "burst", "ahead", "start_ms", "period_us"),
    [
        ("100/60s", None, 1, 100, 60_100_000),
        ("1000/s", None, 50, 100, 1_100_000),
        ("100000/s", None, 64, 100, 1_100_000),
        ("3/500ms", None, 1, 50, 550_000),
        ("1/100ms", None, 1, 20, 120_000),
        ("1000/s", 5, 50, 100, 1_000_000),
    ],
)
def test_how_much_is_asked_for(
    rate: str, burst: int | None, ahead: int, start_ms: float, period_us: int
) -> None:
    made = parse_rate(rate, burst)
    assert (tokens.ahead(made), tokens.start_ms(made)) == (ahead, start_ms)
    assert tokens.asked(made) == Rate(made.count, period_us, burst)


def test_passes_let_as_many_begin_as_the_rate_and_then_nobody_asks(
    hosts: Hosts, throttle_servers: ThrottleServers, asked: list[int]
) -> None:
    one, other = paced(hosts, "5/h"), paced(hosts, "5/h")
    one.tick()
    assert uses(one) == [1] * 4 and spent(throttle_servers) == 4
    other.tick()
    assert uses(other) == [1] and spent(throttle_servers) == 5
    # A pass holds for as long as a token is fresh, and no longer.
    assert all(0 < row.valid_ns - now_ns() <= 100_000_000 for _, row in other.passes.rows())
    tick_until(other, lambda: other.warden.queues[MAIL].why == "rate", "dry")
    asked.clear()
    for _ in range(20):
        other.passes.want(MAIL, now_ns())
        other.tick()
    assert asked == []


def test_what_nobody_used_goes_back(hosts: Hosts, throttle_servers: ThrottleServers) -> None:
    host = paced(hosts, "2000/s")
    for slot in range(1, 4):
        host.at.board.set_idle(slot, False)
    host.tick()
    (most,) = uses(host)
    assert most == 64 and spent(throttle_servers) == 64
    number = host.take()
    host.passes.set_uses(number, 60)
    host.passes.spend(number)
    host.rest()
    host.tick()
    assert host.states() == [] and spent(throttle_servers) == 4


@pytest.mark.parametrize("fate", ["dies", "is not there"])
def test_of_a_worker_that_is_gone_only_what_it_had_not_drawn(
    hosts: Hosts, throttle_servers: ThrottleServers, fate: str
) -> None:
    host = paced(hosts, "5/h")
    for slot in range(1, 4):
        host.at.board.set_idle(slot, False)
    host.tick()
    if fate == "dies":
        host.passes.set_uses(host.take(), 0)
        host.warden.died(0xB0)
        host.rest()
        host.tick()
    else:
        tick_until(host, lambda: host.states() == [], "it is taken back", 200)
    assert spent(throttle_servers) == (1 if fate == "dies" else 0)


def test_a_full_limit_wastes_no_tokens_and_a_dry_rate_no_permits(
    hosts: Hosts, throttle_servers: ThrottleServers
) -> None:
    host = paced(hosts, "3/h", alone=False)
    host.limits["mail"] = Limit("mail", 2)
    host.begin()
    host.tick()
    host.tick()
    assert len(host.states()) == 2 and host.warden.queues[MAIL].why == "full"
    assert spent(throttle_servers) == 2
    for slot in range(2):
        number = host.take(slot)
        host.passes.set_uses(number, 0)
        host.passes.spend(number)
    host.sleepers(4)
    tick_until(host, lambda: host.warden.queues[MAIL].why == "rate", "dry")
    assert len(host.states()) == 1 and len(host.seats()) == 1 and spent(throttle_servers) == 3


def test_a_successor_goes_on_with_what_runs_and_refunds_nothing(
    hosts: Hosts, throttle_servers: ThrottleServers
) -> None:
    host = paced(hosts, "2000/s")
    host.tick()
    number = host.take()
    before = spent(throttle_servers)
    host.rest()
    host.begin()
    host.tick()
    assert dict(host.passes.rows())[number].state == PassState.TAKEN
    assert host.passes.valid_ns(number) == 0
    host.passes.spend(number)
    tick_until(host, lambda: host.states() == [], "given back", 200)
    assert spent(throttle_servers) == before


def test_a_pass_without_a_rate_lets_any_number_begin(hosts: Hosts) -> None:
    host = hosts(limit=1)
    host.sleepers(1)
    host.work(0)
    host.tick()
    assert uses(host) == [UNBOUND]


def test_a_host_whose_rate_is_dry_sleeps_until_there_is_some(hosts: Hosts) -> None:
    host = paced(hosts, "1/700ms")
    host.tick()
    number = host.take()
    host.passes.set_uses(number, 0)
    host.passes.spend(number)
    tick_until(host, lambda: host.warden.queues[MAIL].why == "rate", "dry")
    assert TICK_MS < host.warden.tick(now_ns()) <= 500
    began_s = time.monotonic()
    tick_until(host, lambda: PassState.OFFERED in host.states(), "it goes on")
    assert time.monotonic() - began_s < 5

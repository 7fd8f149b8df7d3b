"""Rates: shares that add up, never above the rate over several servers, and what a refusal says."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from ganger import QuorumLost, RateExceeded, rate_limit, testing
from ganger.clock import monotonic_s
from ganger.errors import BadOptions
from ganger.throttle.default import Throttles
from ganger.throttle.rate import RateLimit
from ganger.throttle.servers import Servers
from ganger.throttle.shares import Rate, parse_rate, shares
from support.throttles import ThrottleServers
from support.waiting import until


@pytest.fixture
def throttles(throttle_servers: ThrottleServers) -> Iterator[Throttles]:
    made = Throttles(Servers(throttle_servers.urls, answer_s=2.0), "ganger")
    yield made
    made.servers.close()


@pytest.mark.parametrize(
    ("text", "count", "period_us"),
    [
        ("100/60s", 100, 60_000_000),
        ("5/s", 5, 1_000_000),
        ("1000 / 2h", 1000, 7_200_000_000),
        ("3/500ms", 3, 500_000),
        ("1/1.5m", 1, 90_000_000),
        ("7/d", 7, 86_400_000_000),
    ],
)
def test_how_a_rate_is_written(text: str, count: int, period_us: int) -> None:
    assert parse_rate(text) == Rate(count, period_us)


@pytest.mark.parametrize(
    "text", ["", "5", "5/", "/s", "0/s", "5/0s", "5/.s", "-5/s", "5/1y", "5/40d", "200000/h", 5]
)
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(BadOptions):
        parse_rate(text)


@pytest.mark.parametrize("burst", [0, -1, True, 1.5])
def test_what_is_no_burst(burst: int) -> None:
    with pytest.raises(BadOptions):
        parse_rate("5/s", burst)


@pytest.mark.parametrize("servers", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("burst", [None, 1, 2, 10])
def test_shares_add_up_and_none_is_faster_than_its_part(servers: int, count: int, burst: int | None) -> None:
    rate = Rate(count, 60_000_000, burst)
    for first in range(servers):
        found = shares(rate, servers, first)
        assert sum(share.count for share in found.values()) == count
        assert sum(share.most for share in found.values()) == (count if burst is None else burst)
        for share in found.values():
            assert share.count >= 1 and share.most >= 1
            assert share.each_us * share.count >= rate.period_us


@pytest.mark.parametrize(("burst", "most"), [(None, 7), (4, 4)])
def test_all_of_it_may_be_used_and_not_one_more(throttles: Throttles, burst: int | None, most: int) -> None:
    mail = rate_limit("mail", "7/h", burst=burst, throttles=throttles)
    for _ in range(most):
        mail.take()
    with pytest.raises(RateExceeded) as caught:
        mail.take()
    assert 60 < caught.value.retry_in_s <= 3600
    with pytest.raises(RateExceeded):
        mail.take(wait=0.5)


def test_others_have_their_own(throttles: Throttles) -> None:
    for name in ("mail", "sms"):
        rate_limit(name, "1/h", throttles=throttles).take()


def test_who_waits_comes_through_at_the_pace(throttles: Throttles) -> None:
    """Never more than burst + rate * time, by clocks that are the servers' and ours alike."""
    api = rate_limit("api", "100/s", burst=5, throttles=throttles)
    began_s, done = monotonic_s(), 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal done
        for _ in range(10):
            api.take(wait=None)
            with lock:
                done += 1
                assert done <= 5 + 100 * (monotonic_s() - began_s) + 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert done == 60


def test_a_cost_that_no_server_can_let_through_is_a_mistake(throttles: Throttles) -> None:
    mail = rate_limit("mail", "7/h", throttles=throttles)
    mail.take(3)
    with pytest.raises(BadOptions, match="1 to 3"):
        mail.take(4)
    for cost in (0, True):
        with pytest.raises(BadOptions, match="whole number"):
            mail.take(cost)


def test_from_coroutines(throttles: Throttles) -> None:
    async def main() -> None:
        api = rate_limit("api", "50/s", burst=2, throttles=throttles)
        await asyncio.gather(*(api.atake(wait=30) for _ in range(8)))
        with pytest.raises(RateExceeded):
            await rate_limit("mail", "1/h", burst=1, throttles=throttles).atake(1)
            await rate_limit("mail", "1/h", burst=1, throttles=throttles).atake(1)

    asyncio.run(main())


def test_a_server_that_is_away_takes_its_share_with_it(throttle_servers: ThrottleServers) -> None:
    urls = [*throttle_servers.urls[:2], "redis://127.0.0.1:1"]
    mail = rate_limit("mail", "9/h", throttles=Throttles(Servers(urls, answer_s=2.0), "ganger"))
    for _ in range(6):
        mail.take()
    with pytest.raises(RateExceeded):
        mail.take()


@pytest.mark.parametrize("burst", [None, 9])
def test_a_restarted_server_gives_nothing_twice(burst: int | None) -> None:
    with ThrottleServers() as own:
        mail = rate_limit("mail", "9/h", burst=burst, throttles=Throttles(Servers(own.urls), "ganger"))
        for _ in range(9):
            mail.take(wait=None)
        for number in range(3):
            own.restart(number)
        mail._tap = None  # what it remembers of refusals
        until(lambda: refused(mail), "the servers are asked again")
        assert mail.attempt() > 300


def refused(mail: RateLimit) -> bool:
    try:
        return mail.attempt() > 0
    except QuorumLost:
        return False


def test_without_any_server_it_says_so() -> None:
    mail = rate_limit("mail", "9/h", throttles=Throttles(Servers(["redis://127.0.0.1:1"]), "ganger"))
    with pytest.raises(QuorumLost, match="refused"):
        mail.take()
    with testing.inline():
        mail.take()

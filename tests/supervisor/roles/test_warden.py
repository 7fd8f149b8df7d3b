"""Passes for workers: offered where work waits, taken back, renewed, handed on; real servers for semaphores.

The test is the workers, and two wardens are two hosts, or one after the other on the same host.
"""

import signal
import threading
from collections.abc import Iterator

import pytest

from gangerd.config import Limit
from gangerd.linux import doorbell
from gangerd.passes import PassState
from gangerd.roles.coordinator.offers import OFFER_MS
from support.limited_host import MAIL, Host, Hosts, many_hosts, now_ns
from support.roles import stage
from support.throttles import ThrottleServers
from support.waiting import until


@pytest.fixture
def hosts(throttle_servers: ThrottleServers) -> Iterator[Hosts]:
    with many_hosts(throttle_servers.urls) as made:
        yield made


def test_a_pass_is_offered_where_work_waits_and_a_worker_could_have_it(hosts: Hosts) -> None:
    host = hosts()
    host.tick()
    host.sleepers(2)
    host.tick()
    assert host.states() == [] and host.seats() == []
    host.work(0, 1, 2)
    host.tick()
    host.tick()
    assert host.states() == [PassState.OFFERED] * 2 and len(host.seats()) == 2
    assert doorbell.silence(host.at.bell) == 2
    assert {seat.holder.host for seat in host.seats() if seat.holder} == {"web-1"}


def test_nobody_gets_one_who_may_not_claim(hosts: Hosts) -> None:
    host = hosts()
    host.sleepers(2)
    host.work(0)
    for page in host.at.role.pages:
        page.set_control(0)
    host.tick()
    assert host.states() == []


def test_a_busy_worker_that_came_by_in_vain_finds_one_at_its_next_turn(hosts: Hosts) -> None:
    host = hosts()
    host.work(0, 1)
    host.passes.want(MAIL, now_ns())
    host.tick()
    host.tick()
    assert host.states() == [PassState.OFFERED]


def test_over_all_hosts_there_are_as_many_as_the_limit_says(hosts: Hosts) -> None:
    one, other = hosts(limit=3), hosts(limit=3)
    for host in (one, other):
        host.sleepers(4)
        host.work(0, 1, 2, 3)
        host.tick()
    assert len(one.states()) == 3 and other.states() == []
    assert other.warden.queues[MAIL].why == "full"
    number = one.take()
    one.passes.spend(number)
    one.rest()
    one.tick()
    assert len(one.states()) == 2
    # It was kept a moment for the first host, which had asked for a fourth.
    until(lambda: _ticked(other, other.states() == [PassState.OFFERED], 200), "the other has it")
    assert len(other.seats()) == 3


def test_a_refused_host_pauses_longer_each_time(hosts: Hosts) -> None:
    one, other = hosts(limit=1), hosts(limit=1)
    for host in (one, other):
        host.sleepers(1)
        host.work(0)
    one.tick()
    asked = 0
    for after_ms in range(0, 1000, 5):
        before = other.warden.figures.refused.get("full", 0)
        other.tick(after_ms)
        asked += other.warden.figures.refused.get("full", 0) - before
    assert 3 <= asked <= 25


def test_a_host_that_waits_is_woken_by_a_release_on_another_and_hardly_asks(hosts: Hosts) -> None:
    one, other = hosts(limit=1), hosts(limit=1)
    for host in (one, other):
        host.sleepers(1)
        host.work(0)
    one.tick()
    number = one.take()
    other.tick()
    grants = other.warden._grants
    until(lambda: other.warden.queues[MAIL].why == "full" and grants._await_turn("mail", 1), "it is listed")
    woken = threading.Event()
    grants.on_turn = woken.set
    # For it the clock stands still: it would not ask by itself.
    at_ns = now_ns()
    other.warden.tick(at_ns)
    asked = other.warden.figures.refused["full"]
    one.passes.spend(number)
    one.rest()
    one.tick()
    assert woken.wait(10)
    other.warden.tick(at_ns)
    assert other.states() == [PassState.OFFERED] and other.warden.figures.refused["full"] == asked


def test_an_offer_that_nobody_takes_goes_back(hosts: Hosts) -> None:
    host = hosts(limit=1)
    host.sleepers(1)
    host.work(0)
    host.tick()
    host.tick(after_ms=OFFER_MS - 50)
    assert host.states() == [PassState.OFFERED]
    host.tick(after_ms=OFFER_MS + 10)
    assert host.states() == [] and host.seats() == []


@pytest.mark.parametrize("how", ["its death is told", "its page is another's", "its page is wiped"])
def test_a_dead_workers_pass_is_free_at_once(hosts: Hosts, how: str) -> None:
    host = hosts(limit=1)
    host.sleepers(2)
    host.work(0)
    host.tick()
    host.take(0)
    host.tick(after_ms=2 * OFFER_MS)
    assert host.states() == [PassState.TAKEN]
    if how == "its death is told":
        host.warden.died(0xB0)
    elif how == "its page is another's":
        host.at.worker(0, "00000000000000ff")
    else:
        host.at.role.pages[0].wipe()
    host.tick()
    # The other sleeper may have it at once.
    assert host.states() == [PassState.OFFERED] and len(host.seats()) == 1


def test_a_successor_renews_and_gives_back_what_it_finds(hosts: Hosts) -> None:
    host = hosts(limit=2)
    host.sleepers(2)
    host.work(0, 1)
    host.tick()
    number = host.take(0)
    spent = host.take(1)
    host.passes.spend(spent)
    tokens = {seat.token for seat in host.seats()}
    before_ns = host.passes.valid_ns(number)
    host.begin()
    host.rest()
    host.tick()
    assert [row.state for _, row in host.passes.rows()] == [PassState.TAKEN]
    assert host.passes.valid_ns(number) > before_ns
    (left,) = host.seats()
    assert left.token in tokens and left.holder is not None and left.holder.process == f"{0xB0:016x}"
    host.passes.spend(number)
    host.tick()
    assert host.seats() == []


def test_a_queue_with_two_limits_needs_a_permit_of_each(hosts: Hosts) -> None:
    host = hosts(limit=3, api=Limit("mail", 1))
    host.sleepers(3)
    host.work(0, 1, 2)
    host.tick()
    assert host.states() == [PassState.OFFERED]
    # The refused second try has left nothing of the wider limit taken.
    assert (len(host.seats("mail")), len(host.seats("api"))) == (1, 1)


def test_at_its_end_it_keeps_only_what_living_workers_use(hosts: Hosts) -> None:
    host = hosts(limit=3)
    host.sleepers(3)
    host.work(0, 1, 2)
    host.tick()
    host.take(0)
    host.warden.closing = True
    host.tick()
    assert host.warden.over and host.states() == [PassState.TAKEN] and len(host.seats()) == 1


def test_without_a_quorum_it_stands_still_and_goes_on_by_itself() -> None:
    with ThrottleServers() as own, stage("redis://h", 4) as at:
        host = Host(at, own.urls, {"mail": Limit("mail", 3)}, ttl_ms=1500)
        host.sleepers(3)
        host.work(0, 1)
        host.tick()
        number = host.take(0)
        for server in own.all[:2]:
            server.server.signal(signal.SIGSTOP)
        # A running job's permit runs out, and its pass with it; nothing new is granted.
        until(lambda: _ticked(host, bool(host.lost)), "the permit is lost")
        assert host.lost == [(0xB0, 0, "mail", True)] and host.warden.figures.lost == 1
        assert host.passes.valid_ns(number) == 0
        assert host.warden.queues[MAIL].why == "quorum" and host.states() == [PassState.TAKEN]
        for server in own.all[:2]:
            server.server.signal(signal.SIGCONT)
        until(lambda: _ticked(host, PassState.OFFERED in host.states()), "offered again")
        assert host.warden.queues[MAIL].why in ("", "full")


def _ticked(host: Host, done: bool, after_ms: float = 0) -> bool:
    host.tick(after_ms)
    return done

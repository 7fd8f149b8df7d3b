"""Limits that become others while passes are out: what was granted by the old ones, what may go on by it."""

from collections.abc import Iterator

import pytest

from ganger.throttle.quorum import TTL_MS
from gangerd.config import Limit
from gangerd.passes import PassState
from gangerd.roles.coordinator.limits import limited_queues
from support.limited_host import LINES, Host, Hosts, many_hosts, now_ns
from support.throttles import ThrottleServers
from support.waiting import until


@pytest.fixture
def hosts(throttle_servers: ThrottleServers) -> Iterator[Hosts]:
    with many_hosts(throttle_servers.urls) as made:
        yield made


def test_another_limit_counts_from_the_next_offer_on(hosts: Hosts) -> None:
    host = hosts(limit=3)
    host.sleepers(4)
    host.work(0, 1, 2, 3)
    host.tick()
    numbers = [host.take(slot) for slot in range(3)]
    host.warden.limit(limited_queues(LINES, {"mail": Limit("mail", 1)}))
    host.passes.spend(numbers[0])
    host.passes.spend(numbers[1])
    host.tick()
    host.tick()
    assert len(host.states()) <= 2  # the third still runs, in whatever seat it has
    host.passes.spend(numbers[2])
    until(lambda: _offered_alone(host), "one pass and no more")
    assert [seat.seat for seat in host.seats()] == ["0"]


@pytest.mark.parametrize("heir", [False, True], ids=["set while it runs", "of a reload"])
@pytest.mark.parametrize(
    ("rules", "stays"),
    [
        ({"mail": Limit("mail", 1)}, False),
        ({"mail": Limit("mail", 3), "api": Limit("mail", 2)}, False),
        ({"mail": Limit("mail", 5)}, True),
    ],
    ids=["a tighter one", "one more", "a wider one"],
)
def test_a_worker_that_always_has_work_does_not_go_on_by_wider_rules(
    hosts: Hosts, rules: dict[str, Limit], stays: bool, heir: bool
) -> None:
    host = hosts(limit=3)
    host.sleepers(3)
    host.work(0, 1)
    host.tick()
    host.tick()
    taken = host.take()
    if heir:
        host.limits = rules
        host.begin()
    else:
        host.warden.limit(limited_queues(LINES, rules))
    host.tick()
    # The renewal (a quarter of its life later) is for what runs by it, and does not let it claim again.
    host.tick(after_ms=TTL_MS / 4 + 1)
    assert (host.passes.valid_ns(taken) > now_ns()) is stays
    assert not host.lost and PassState.TAKEN in host.states()
    (held,) = [seat for seat in host.seats() if seat.holder and seat.holder.process == f"{0xB0:016x}"]
    assert held.left_ms > TTL_MS / 2
    host.passes.spend(taken)
    host.tick()
    assert PassState.TAKEN not in host.states()


def _offered_alone(host: Host) -> bool:
    host.tick()
    return host.states() == [PassState.OFFERED]

"""The scheduler takes back what no coordinator says any more: a test for each crash point."""

from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import ScriptFailed
from ganger.keys import Partition
from ganger.operations import lanes, look
from ganger.operations.lanes import Mark
from gangerd.roles.scheduler.laning import Laning
from gangerd.roles.scheduler.service import Scheduler
from support import jobs
from support.roles import HOST, Stage, stage
from support.servers import ClusterServers

SEND = Mark("shop.send", False)


@pytest.fixture
def at(cluster_servers: ClusterServers) -> Iterator[Stage]:
    with stage(cluster_servers.url, lease_ms=300) as made:
        yield made


@pytest.fixture
def mail(cluster: Cluster) -> tuple[Partition, ...]:
    return jobs.queue(cluster, count=3)


def laned(cluster: Cluster, place: Partition, count: int, *, over: bool = True) -> None:
    """So many jobs in the lane of a type, which nobody calls limited any more if it is over."""
    cluster.run(lanes.aside_command(place, [SEND], 3_600_000))
    jobs.push(cluster, place, count)
    for op in range(1, count // 250 + 2):
        assert jobs.take(cluster, place, HOST, HOST, op) == []
    assert waits(cluster, place) == count
    if over:
        cluster.run(Command(place.slot, ("HSET", place.meta, "aside", "shop.send=1")))


def waits(cluster: Cluster, place: Partition) -> int:
    return look.parse_look(cluster.run(look.look_command(place)), place).laned


def said(cluster: Cluster, place: Partition) -> list[bytes | None]:
    found: list[bytes | None] = cluster.run(Command(place.slot, ("HMGET", place.meta, "aside", "unlane")))
    return found


def test_jobs_come_out_of_lanes_that_nobody_asks_for_any_more(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    laned(cluster, mail[0], 450)
    laned(cluster, mail[1], 3)
    laned(cluster, mail[2], 3, over=False)
    scheduler = Scheduler(at.role, cluster)
    scheduler.begin()
    at.role.listen(scheduler.handle)
    at.run_until(
        lambda: [said(cluster, place) == [None, None] for place in mail] == [True, True, False],
        "what is over is taken back",
    )
    assert [waits(cluster, place) for place in mail] == [0, 0, 3]
    assert len(jobs.take(cluster, mail[1], HOST, HOST, 9)) == 3


def begun(cluster: Cluster, leader: Laning, place: Partition) -> list[Callable[[], object]]:
    """What a leader that has heard of the partition has still to do there; the first chunk is done."""
    leader.heard(place, cluster.run(leader.command(place)), 0)
    return list(islice(leader.debts() or [], 1))


def test_a_leader_that_is_gone_half_way_has_a_successor(
    cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    laned(cluster, mail[0], 450)
    assert begun(cluster, Laning(cluster), mail[0])
    assert said(cluster, mail[0])[0] is None and said(cluster, mail[0])[1]
    (step,) = begun(cluster, Laning(cluster), mail[0])
    assert waits(cluster, mail[0]) == 50
    step()
    assert waits(cluster, mail[0]) == 0 and said(cluster, mail[0]) == [None, None]


def test_what_is_being_paid_is_not_begun_again(cluster: Cluster, mail: tuple[Partition, ...]) -> None:
    laned(cluster, mail[0], 450)
    leader = Laning(cluster)
    assert begun(cluster, leader, mail[0])
    assert begun(cluster, leader, mail[0]) == [] and waits(cluster, mail[0]) == 250
    leader.forget()
    assert begun(cluster, leader, mail[0]) and waits(cluster, mail[0]) == 50


def test_a_step_that_fails_ends_the_try_and_the_next_round_goes_on(
    cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    laned(cluster, mail[0], 450)
    leader = Laning(cluster)
    leader.heard(mail[0], cluster.run(leader.command(mail[0])), 0)
    steps = leader.debts()
    assert steps is not None
    cluster.run(Command(mail[0].slot, ("RENAME", mail[0].lanes, mail[0].lanes + b":away")))
    cluster.run(Command(mail[0].slot, ("SET", mail[0].lanes, "no sorted set")))
    with pytest.raises(ScriptFailed):
        next(steps)()
    cluster.run(Command(mail[0].slot, ("RENAME", mail[0].lanes + b":away", mail[0].lanes)))
    assert list(steps) == []
    assert begun(cluster, leader, mail[0]) and waits(cluster, mail[0]) == 50

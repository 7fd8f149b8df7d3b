"""The scheduler completes what a pause, or the end of one, could not reach: a test for each crash point."""

from collections.abc import Iterator

import pytest

from ganger.calls import open_partition
from ganger.cluster import Cluster
from ganger.keys import Partition, partitions
from ganger.operations import control, pause
from ganger.operations.pause import EVERYTHING, Held
from ganger.pausing import pause_queue, pause_type
from gangerd.roles.scheduler.pausing import Pausing
from gangerd.roles.scheduler.service import Scheduler
from support import jobs
from support.jobs import KEYS
from support.roles import HOST, Stage, stage
from support.servers import ClusterServers


@pytest.fixture
def at(cluster_servers: ClusterServers) -> Iterator[Stage]:
    with stage(cluster_servers.url, lease_ms=300) as made:
        yield made


@pytest.fixture
def mail(cluster: Cluster) -> tuple[Partition, ...]:
    return jobs.queue(cluster, count=3)


def held(cluster: Cluster, place: Partition) -> Held:
    return pause.parse_held(cluster.run(pause.held_command(place)))


def tell(cluster: Cluster, place: Partition, *edits: tuple[str, str]) -> None:
    cluster.run(pause.change_command(place, edits))


def begin(at: Stage, cluster: Cluster) -> None:
    scheduler = Scheduler(at.role, cluster)
    scheduler.begin()
    at.role.listen(scheduler.handle)


def test_a_pause_that_told_nobody_or_only_some_is_completed(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    pause.want(cluster, KEYS, "queue", "mail", "", deadline_s=5)
    pause.want(cluster, KEYS, "type", "shop.send", "", deadline_s=5)
    tell(cluster, mail[1], ("+", EVERYTHING))
    begin(at, cluster)
    at.run_until(
        lambda: all(held(cluster, p).everything and held(cluster, p).types == {"shop.send"} for p in mail),
        "every partition holds back",
    )
    assert [held(cluster, place).changes for place in mail] == ["1", "2", "1"]


def test_a_resume_that_told_nobody_is_completed(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    pause_queue(cluster, KEYS, "mail")
    pause_type(cluster, KEYS, "shop.send")
    jobs.push(cluster, mail[0], 3)
    pause.unwant(cluster, KEYS, "queue", "mail", deadline_s=5)
    pause.unwant(cluster, KEYS, "type", "shop.send", deadline_s=5)
    begin(at, cluster)
    at.run_until(
        lambda: not any(held(cluster, p).everything or held(cluster, p).types for p in mail),
        "every partition hands out",
    )
    assert len(jobs.take(cluster, mail[0], HOST, HOST)) == 3


def test_parked_jobs_come_back_although_whoever_resumed_their_type_is_gone(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    pause_type(cluster, KEYS, "shop.send")
    pause_type(cluster, KEYS, "shop.once")
    jobs.push(cluster, mail[0], 450)
    (other,) = jobs.push(cluster, mail[0], 1, type="shop.once")
    for op in (1, 2):
        assert jobs.take(cluster, mail[0], HOST, HOST, op) == []
    assert jobs.seen(cluster, mail[0]).parked == 451
    pause.unwant(cluster, KEYS, "type", "shop.send", deadline_s=5)
    tell(cluster, mail[0], ("-", "shop.send"))
    begin(at, cluster)
    at.run_until(lambda: jobs.seen(cluster, mail[0]).parked == 1, "they come back")
    assert jobs.where(cluster, mail[0], other) == ("parked", 0, 0, 0, 0)
    at.run_until(lambda: held(cluster, mail[0]).debt == "", "the debt is paid")
    assert jobs.seen(cluster, mail[0]).waiting == {0: 450}


def test_partitions_that_come_to_be_after_a_pause_hold_back_too(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    pause_type(cluster, KEYS, "shop.send")
    control.register_queue(cluster, KEYS, "young", 2)
    control.register_queue(cluster, KEYS, "younger", 2)
    pause.want(cluster, KEYS, "queue", "younger", "", deadline_s=5)
    young, younger = partitions("ganger", "young", 2), partitions("ganger", "younger", 2)
    open_partition(cluster, young[0])
    begin(at, cluster)
    at.run_until(
        lambda: all(held(cluster, p).types == {"shop.send"} for p in (*young, *younger)), "also these"
    )
    assert [held(cluster, place).everything for place in (*young, *younger)] == [False, False, True, True]


def test_a_word_that_comes_late_does_not_undo_a_newer_pause(
    cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    """The duty has seen a partition that is paused and shall not be; before it says so, somebody pauses."""
    tell(cluster, mail[0], ("+", EVERYTHING))
    duty = Pausing(cluster, KEYS)
    duty.heard(mail[0], cluster.run(duty.command(mail[0])), 0)
    tell(cluster, mail[0], ("+", EVERYTHING))
    assert duty.mend() == 0
    assert held(cluster, mail[0]).everything
    duty.heard(mail[0], cluster.run(duty.command(mail[0])), 0)
    assert duty.mend() == 1
    assert not held(cluster, mail[0]).everything

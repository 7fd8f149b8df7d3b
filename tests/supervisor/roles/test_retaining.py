"""A queue's retention: from the settings into each partition, and its log is kept within bounds."""

from collections.abc import Iterator

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.keys import Control, Partition, partitions
from ganger.operations import look, retain
from ganger.operations.retain import Retention
from gangerd.roles.queues import Queues
from gangerd.roles.scheduler.retaining import Retaining
from gangerd.roles.scheduler.service import Scheduler
from gangerd.roles.scheduler.upkeep import Steps
from support.history import ended
from support.roles import Stage, stage
from support.servers import ClusterServers

KEYS = Control("ganger")
MAIL = partitions("ganger", "mail", 3)


def told(cluster: Cluster, place: Partition) -> str | None:
    return look.parse_look(cluster.run(look.look_command(place)), place).settings.get("retain")


def logged(cluster: Cluster, place: Partition) -> int:
    return int(cluster.run(Command(place.slot, ("XLEN", place.log))))


def trim(cluster: Cluster, retaining: Retaining) -> None:
    steps = Steps()
    steps.start("retain", retaining.steps(cluster, MAIL))
    while steps.step():
        pass


@pytest.fixture
def at(cluster_servers: ClusterServers) -> Iterator[Stage]:
    with stage(cluster_servers.url, partitions=3, retain={"mail": (60_000, 30)}) as made:
        yield made


def test_a_host_s_settings_reach_a_queue_before_its_first_job(cluster: Cluster, at: Stage) -> None:
    scheduler = Scheduler(at.role, cluster)
    scheduler.begin()
    at.run_until(lambda: told(cluster, MAIL[2]) is not None, "the settings are there")
    assert [told(cluster, place) for place in MAIL] == ["60000|10"] * 3
    assert retain.wanted(cluster, KEYS) == {"mail": Retention(60_000, 30)}


def test_what_is_said_later_wins_and_is_carried_out_everywhere(cluster: Cluster) -> None:
    retaining = Retaining(cluster, KEYS, {"mail": (60_000, 30)}, 3)
    queues = Queues(cluster, KEYS)
    retaining.declare(queues)
    retain.want(cluster, KEYS, "mail", Retention(0, 600))
    retaining.declare(queues)
    assert told(cluster, MAIL[0]) == "60000|10", "the command did not reach it"
    for place in MAIL:
        for number in range(450):
            ended(cluster, number + 1, partition=place)
    trim(cluster, retaining)
    assert [told(cluster, place) for place in MAIL] == ["0|200"] * 3
    assert all(200 <= logged(cluster, place) <= 300 for place in MAIL)
    retain.want(cluster, KEYS, "mail", Retention())
    trim(cluster, retaining)
    assert [told(cluster, place) for place in MAIL] == [None] * 3
    assert [logged(cluster, place) for place in MAIL] == [0] * 3

"""A queue's retention: from the settings into each partition, and its log is kept within bounds."""

from collections.abc import Iterator
from typing import Any

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.keys import Control, Partition, partitions
from ganger.operations import look, retain
from ganger.operations.retain import Retention
from gangerd.roles.coordinator.board_keeper import BoardKeeper
from gangerd.roles.coordinator.retaining import declare
from gangerd.roles.coordinator.service import Coordinator
from gangerd.roles.queues import Queues
from gangerd.roles.scheduler.retaining import Retaining
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


def test_a_host_s_settings_reach_a_queue_before_any_worker_can_claim_from_it(
    cluster: Cluster, at: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str | None] = []
    publish = BoardKeeper.publish

    def look_and_publish(keeper: BoardKeeper, *args: Any) -> None:
        found.extend(told(cluster, place) for place in MAIL)
        publish(keeper, *args)

    monkeypatch.setattr(BoardKeeper, "publish", look_and_publish)
    assert not at.board.directory()
    Coordinator(at.role, cluster).begin()
    assert found == ["60000|10"] * 3
    assert retain.wanted(cluster, KEYS) == {"mail": Retention(60_000, 30)}
    assert [line.queue for line in at.board.directory()] == ["mail"]


def test_what_is_said_later_wins_and_is_carried_out_everywhere(cluster: Cluster) -> None:
    retaining = Retaining(KEYS)
    declare(cluster, KEYS, Queues(cluster, KEYS), {"mail": (60_000, 30)}, 3)
    retain.want(cluster, KEYS, "mail", Retention(0, 600))
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


def test_a_queue_that_is_to_keep_nothing_is_not_opened_for_that(cluster: Cluster) -> None:
    assert retain.apply(cluster, MAIL, Retention()) == {}
    assert [cluster.run(Command(place.slot, ("EXISTS", place.meta))) for place in MAIL] == [0] * 3

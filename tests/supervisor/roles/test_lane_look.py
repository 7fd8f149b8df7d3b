"""Looks at lanes: all of them a page a trip, a part of very many, and at once those that a message names."""

from collections.abc import Sequence

from ganger.cluster import Cluster
from ganger.operations import lanes
from ganger.operations.lanes import Lane, Mark
from gangerd.roles.coordinator import lane_look
from gangerd.roles.coordinator.lane_look import LaneLook
from gangerd.roles.coordinator.roster import Roster
from support.keyspace import MAIL, add
from support.laned import look, marked, sort, take, take_lane, unsorted
from support.roles import stage
from support.servers import ClusterServers


def test_lanes_are_found_by_parts_and_the_named_ones_at_once(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    pages = 2
    most = lane_look.PAGE * lane_look.PAGES_A_LOOK
    marked(cluster, Mark("a", True))
    count = most + pages
    for number in range(count):
        add(cluster, f"{number + 1}-1", f"j{number}", t="a")
    op = 0
    while len(found := unsorted(cluster, 2000)) < count:
        op += 1
        take(cluster, op, cap=2000)
    sort(cluster, *((job.id, "a", f"{place:016x}") for place, job in enumerate(found)))
    every, after = [], ""
    while True:
        part, after = look(cluster, after, 1000)
        every += part
        if not after:
            break
    assert len(every) == count
    roster = Roster()
    asked: list[int] = []

    def heard(index: int, after: str, lanes: Sequence[Lane], upto: str) -> None:
        asked.append(len(lanes))
        roster.found(index, after, lanes, upto)

    with stage(cluster_servers.url) as at:
        looking = LaneLook(cluster, at.role.loop, lambda index: MAIL, heard)
        looking.at(0, [every[-1].id, every[3].id])
        at.run_until(lambda: len(roster) == 2, "those that were named")
        assert asked == [1, 1]
        looking.at(0)
        at.run_until(lambda: len(roster) == most + 1, "a part")
        looking.at(0)
        at.run_until(lambda: len(roster) == count, "the rest")
        take_lane(cluster, every[3].id, 999)
        looking.at(0, [every[3].id])
        at.run_until(lambda: len(roster) == count - 1, "one is empty")
        assert lanes.UNSORTED not in [waiting.lane.id for waiting in roster.next(0, 1, 1 << 62)]

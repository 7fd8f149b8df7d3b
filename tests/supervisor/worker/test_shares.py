"""How queues share a worker: real claims on a real cluster, counted by the queue that each went to.

Nothing is performed: a claimed job is settled with the next trip, as if it had run in no time.
"""

import os
import weakref
from collections import Counter
from collections.abc import Callable

import pytest

from ganger import jid as jids
from ganger.cluster import Cluster
from ganger.keys import Control, Partition, partitions
from ganger.operations import enqueue
from ganger.operations.control import register_queue
from gangerd.board import Board, Line
from gangerd.linux.shared_memory import anonymous, map_region
from gangerd.page import PageWriter
from gangerd.recorder import BOARD_BYTES, HEADER_BYTES, PAGE_BYTES, file_bytes, page_offset
from gangerd.worker.costs import Costs
from gangerd.worker.fetch import BUDGET_US, Fetch
from gangerd.worker.hand import Hand
from gangerd.worker.sight import Sight

PARTS = 4
A_CLAIM = 5
"""Jobs that a full claim brings: each is known to run for a fifth of the budget."""
HOST, ME = "00000000000000aa", "00000000000000b1"


class Sharing:
    """A worker's sight and fetch over several queues, without a handler."""

    def __init__(self, cluster: Cluster, weights: dict[str, int], strict: tuple[str, ...] = ()) -> None:
        self.cluster = cluster
        self.places: list[Partition] = []
        for queue in weights:
            register_queue(cluster, Control("ganger"), queue, PARTS)
            self.places += partitions("ganger", queue, PARTS)
        fd = anonymous("recorder", file_bytes(1))
        weakref.finalize(self, os.close, fd)
        page = PageWriter(memoryview(map_region(fd, page_offset(0), PAGE_BYTES)))
        page.begin(ME, os.getpid(), 1, 1)
        self.board = Board(memoryview(map_region(fd, HEADER_BYTES, BOARD_BYTES)))
        self.board.write_directory([Line(queue, PARTS, weight) for queue, weight in weights.items()])
        self.sight = Sight(self.board, "ganger", strict)
        self.hand = Hand(page, fd, 0)
        self.costs = Costs()
        self.costs.ran("t", BUDGET_US / A_CLAIM)
        self.fetch = Fetch(cluster, page, self.hand, HOST, ME)

    def push(self, index: int, count: int) -> None:
        """Jobs into the partition that the board calls so, which it then shows."""
        place = self.places[index]
        made = jids.mint(place.queue, place.index, count)
        enqueue.push(self.cluster, place, 5, [enqueue.NewJob(jid, "t", b"{}") for jid in made])
        self.board.signal(index, 5)

    def visit(self) -> tuple[int, str, int]:
        """The next claim: where it went, to which queue, and how many jobs it brought."""
        target = self.sight.next()
        assert target is not None
        brought = len(self.fetch.trip(target, self.sight, self.costs))
        for place in range(brought):
            self.hand.succeeded(place)
        return target.index, target.partition.queue, brought


@pytest.fixture
def sharing(cluster: Cluster) -> Callable[..., Sharing]:
    return lambda weights, strict=(): Sharing(cluster, weights, strict)


def test_full_queues_share_claims_and_jobs_by_weight_and_the_lightest_is_served_in_each_round(
    sharing: Callable[..., Sharing],
) -> None:
    weights = {"mail": 5, "bulk": 2, "rare": 1}
    a_round, rounds = sum(weights.values()), 20
    worker = sharing(weights)
    for index in range(len(weights) * PARTS):
        worker.push(index, A_CLAIM * rounds * 2)
    visits = [worker.visit() for _ in range(a_round * rounds)]
    claims, jobs = Counter(queue for _, queue, _ in visits), Counter[str]()
    for _, queue, brought in visits:
        jobs[queue] += brought
    for queue, weight in weights.items():
        assert claims[queue] / claims.total() == pytest.approx(weight / a_round, rel=0.05)
        assert jobs[queue] / jobs.total() == pytest.approx(weight / a_round, rel=0.05)
    for start in range(len(visits) - a_round):
        assert "rare" in {queue for _, queue, _ in visits[start : start + a_round]}


def test_a_queue_with_a_job_here_and_there_comes_to_its_share_beside_a_full_one(
    sharing: Callable[..., Sharing],
) -> None:
    worker = sharing({"thin": 1, "full": 1})
    for index in range(PARTS):
        worker.push(index, 1)
        worker.push(PARTS + index, 400)
    jobs = Counter[str]()
    for _ in range(240):
        index, queue, brought = worker.visit()
        jobs[queue] += brought
        if queue == "thin":
            worker.push(index, 1)
    assert jobs["thin"] / jobs.total() == pytest.approx(0.5, rel=0.05)


def test_an_empty_visit_costs_no_turn(sharing: Callable[..., Sharing]) -> None:
    worker = sharing({"busy": 1, "idle": 3})
    for index in range(PARTS):
        worker.push(index, 100)
    for _ in range(5):
        worker.board.signal(PARTS, 5)  # and nothing is there: another host was first
        assert [worker.visit()[1:] for _ in range(2)] == [("idle", 0), ("busy", A_CLAIM)]
    worker.push(PARTS, A_CLAIM * 8)
    assert [worker.visit()[1] for _ in range(8)].count("idle") == 6


def test_in_strict_order_the_lower_queue_waits_until_the_upper_shows_no_work(
    sharing: Callable[..., Sharing],
) -> None:
    worker = sharing({"bulk": 9, "urgent": 1}, strict=("urgent", "bulk"))
    for index in range(2 * PARTS):
        worker.push(index, 10)
    visits = [worker.visit() for _ in range(4 * PARTS)]
    full = [queue for _, queue, brought in visits if brought]
    assert full == sorted(full, reverse=True)
    assert set(full) == {"bulk", "urgent"}
    worker.push(0, 10)
    worker.push(PARTS, 1)
    assert [worker.visit()[1] for _ in range(2)] == ["urgent", "bulk"]

"""A node that hangs under a worker: what it owes there keeps it from nobody else's jobs for long."""

import time
from collections.abc import Iterator

import pytest

from ganger import job
from ganger.cluster import Cluster
from ganger.keys import Control, partitions
from ganger.operations import look
from ganger.operations.control import register_queue
from gangerd.board import Line
from gangerd.worker.sight import Target
from support.servers import ClusterServers
from support.waiting import until
from support.worker_bench import Bench

PLACES = partitions("ganger", "h", 3)


@job(name="h.note", queue="h")
def note(number: int) -> None:
    pass


@pytest.fixture(scope="module")
def servers() -> Iterator[ClusterServers]:
    with ClusterServers(primaries=3, node_timeout_ms=60_000) as made:
        yield made


def visit(bench: Bench, index: int) -> int:
    """A trip to this partition, and its jobs run."""
    target = Target(1 + index, PLACES[index], bench.board.signals[1 + index])
    count = len(bench.fetch.trip(target, bench.sight, bench.costs))
    for place in range(count):
        bench.performer.perform(place)
    return count


def test_successes_that_a_hung_node_does_not_take_do_not_ride_with_every_claim(
    servers: ClusterServers,
) -> None:
    cluster = Cluster(servers.settings())
    bench = Bench(servers, cluster)
    register_queue(cluster, Control("ganger"), "h", 3)
    bench.board.write_directory([Line("q", 1, 1), Line("h", 3, 1)])
    bench.client.push_many("h.note", [(number,) for number in range(300)], queue="h")
    assert all(visit(bench, index) for index in (1, 2, 0))
    assert bench.hand.done
    hung = servers.index_of(PLACES[0].slot)
    servers.pause(hung)
    try:
        began_s = time.monotonic()
        assert visit(bench, 1)
        assert time.monotonic() - began_s < 3.0
        began_s = time.monotonic()
        for _ in range(10):
            visit(bench, 1)
            visit(bench, 2)
        assert time.monotonic() - began_s < 1.0
    finally:
        servers.resume(hung)
    until(lambda: bench.fetch.settle() or not bench.hand.done, "the node takes them")  # type: ignore[func-returns-value]
    seen = [look.parse_look(cluster.run(look.look_command(place)), place) for place in PLACES]
    assert [one.in_flight for one in seen] == [0, 0, 0]
    assert sum(one.counters["succeeded"] for one in seen) == 300 - sum(one.ready for one in seen)
    bench.client.close()
    cluster.close()

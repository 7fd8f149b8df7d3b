"""What a producer is told who wants its jobs on a replica before a push returns."""

import pytest

from ganger.cluster import Cluster
from ganger.errors import OutcomeUnknown
from ganger.jid import mint
from ganger.keys import Partition, partitions
from ganger.operations import enqueue
from ganger.operations.enqueue import NewJob
from support.servers import ClusterServers


def _at(servers: ClusterServers, index: int) -> Partition:
    places = partitions("ganger", "durable", 12)
    return next(place for place in places if servers.index_of(place.slot) == index)


@pytest.mark.parametrize("delayed", [False, True])
def test_a_repeat_is_no_better_confirmed_than_the_push_it_repeats(
    replicated_servers: ClusterServers, delayed: bool
) -> None:
    """The job is in, at the primary; pushed again on another connection, it still waits for the replica."""
    place = _at(replicated_servers, 2)
    jobs = [NewJob(mint("durable", place.index)[0], "shop.send", b"{}")]

    def push() -> bool:
        cluster = Cluster(replicated_servers.settings())
        try:
            if delayed:
                return enqueue.schedule(cluster, place, 5, jobs, delay_ms=60_000, deadline_s=0.5, replicas=1)
            return enqueue.push(cluster, place, 5, jobs, deadline_s=0.5, replicas=1)
        finally:
            cluster.close()

    replicated_servers.pause(5)
    try:
        for _ in range(2):
            with pytest.raises(OutcomeUnknown, match="only 0 of 1 replicas"):
                push()
    finally:
        replicated_servers.resume(5)
    assert push() is False

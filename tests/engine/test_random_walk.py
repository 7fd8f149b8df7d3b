"""No job is lost and none is in two places, in whatever order the operations come."""

from random import Random

import pytest

from ganger.cluster import Cluster
from support.keyspace import opened
from support.servers import ClusterServers
from support.walk import Walk


@pytest.mark.parametrize("seed", range(6))
def test_the_partition_holds_what_the_model_says(
    cluster: Cluster, cluster_servers: ClusterServers, seed: int
) -> None:
    opened(cluster)
    walk = Walk(cluster, Random(seed))
    names = []
    for step in range(150):
        names.append(walk.step())
        if step % 10 == 9:
            try:
                walk.check(cluster_servers)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, after {names}: {error}") from error
    walk.check(cluster_servers)

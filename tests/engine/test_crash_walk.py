"""Whoever dies, before or after any script: no job is lost or doubled, no lock is without an owner."""

from collections.abc import Iterator
from random import Random

import pytest

from support.crash_walk import CrashWalk
from support.crashing import CrashingCluster
from support.keyspace import opened
from support.servers import ClusterServers


@pytest.fixture
def crashing(cluster_servers: ClusterServers) -> Iterator[CrashingCluster]:
    transport = CrashingCluster(cluster_servers.settings())
    yield transport
    transport.close()


@pytest.mark.parametrize("seed", range(4))
def test_whoever_dies_the_partition_holds_what_the_model_says(
    crashing: CrashingCluster, cluster_servers: ClusterServers, seed: int
) -> None:
    opened(crashing)
    walk = CrashWalk(crashing, cluster_servers, Random(seed))
    if seed % 2:
        walk.retain()
    names = []
    for _ in range(120):
        try:
            names.append(walk.step())
            walk.check()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, after {names}: {error}") from error
    assert crashing.crashes > 10

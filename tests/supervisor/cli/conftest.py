"""A cluster for the commands: one kind is enough here, since the engine's own tests run against all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger.cluster import Cluster
from support.servers import ClusterServers
from support.shop import Shop


@pytest.fixture(scope="package")
def one_cluster() -> Iterator[ClusterServers]:
    with ClusterServers("valkey", primaries=3, password="open sesame") as servers:
        yield servers


@pytest.fixture
def emptied(one_cluster: ClusterServers) -> ClusterServers:
    one_cluster.flush()
    return one_cluster


@pytest.fixture
def engine(emptied: ClusterServers) -> Iterator[Cluster]:
    """For what a test does to the cluster behind the command's back."""
    transport = Cluster(emptied.settings())
    yield transport
    transport.close()


@pytest.fixture
def shop(tmp_path: Path, emptied: ClusterServers, engine: Cluster) -> Shop:
    return Shop(tmp_path, emptied.url, engine)

"""One server for all tests of this directory: what they throw at it, every server stores alike."""

from collections.abc import Iterator

import pytest

from ganger.cluster import Cluster
from support.servers import ClusterServers


@pytest.fixture(scope="package")
def fuzz_servers() -> Iterator[ClusterServers]:
    with ClusterServers("valkey", primaries=1) as servers:
        yield servers


@pytest.fixture(scope="package")
def fuzz_cluster(fuzz_servers: ClusterServers) -> Iterator[Cluster]:
    transport = Cluster(fuzz_servers.settings())
    yield transport
    transport.close()

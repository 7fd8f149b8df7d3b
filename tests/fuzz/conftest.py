"""One server for all tests of this directory: what they throw at it, every server stores alike."""

from collections.abc import Iterator

import pytest

from ganger.cluster import Cluster
from support.fuzzing import LONG
from support.servers import ClusterServers


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A long run takes as long as it takes."""
    for item in items if LONG else ():
        if "fuzz" in item.path.parts:
            item.add_marker(pytest.mark.timeout(0))


@pytest.fixture(scope="package")
def fuzz_servers() -> Iterator[ClusterServers]:
    with ClusterServers("valkey", primaries=1) as servers:
        yield servers


@pytest.fixture(scope="package")
def fuzz_cluster(fuzz_servers: ClusterServers) -> Iterator[Cluster]:
    transport = Cluster(fuzz_servers.settings())
    yield transport
    transport.close()

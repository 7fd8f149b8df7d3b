"""The servers that the tests of the chaos harness share: started once a process, whole between tests."""

from collections.abc import Iterator

import pytest

from chaos.servers import JobServers


@pytest.fixture(scope="session")
def running_cluster() -> Iterator[JobServers]:
    """Three primaries with a replica each."""
    with JobServers(clocks=True) as servers:
        yield servers


@pytest.fixture
def job_servers(running_cluster: JobServers) -> JobServers:
    """The same, empty and whole."""
    running_cluster.mend()
    for ident in running_cluster.primaries():
        running_cluster.nodes[ident].call("FLUSHALL")
    return running_cluster

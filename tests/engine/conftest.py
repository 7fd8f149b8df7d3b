"""Clusters for tests that move slots, pause and kill: their own, so that the shared ones stay whole."""

from collections.abc import Iterator

import pytest

from ganger.cluster import Cluster
from support.servers import ClusterServers

PASSWORD = "top secret"


@pytest.fixture(scope="session")
def own_servers() -> Iterator[dict[str, ClusterServers]]:
    """One to be hurt, one whose slots move, one with replicas: starting side by side."""
    servers = {
        "rough": ClusterServers("valkey", primaries=3, password=PASSWORD),
        "moving": ClusterServers("valkey", primaries=3, password=PASSWORD),
        "replicated": ClusterServers("valkey", primaries=3, replicas=1, password=PASSWORD),
    }
    try:
        for one in servers.values():
            one.start()
        yield servers
    finally:
        for one in servers.values():
            one.stop()


@pytest.fixture
def rough_servers(own_servers: dict[str, ClusterServers]) -> ClusterServers:
    """Three primaries; a test may do anything to them that it undoes."""
    return _ready(own_servers["rough"])


@pytest.fixture
def moving_servers(own_servers: dict[str, ClusterServers]) -> ClusterServers:
    """Three primaries; a test may move slots."""
    return _ready(own_servers["moving"])


@pytest.fixture(scope="session")
def replicated_servers(own_servers: dict[str, ClusterServers]) -> ClusterServers:
    """Three primaries, three replicas. Each test that kills a primary names the one it uses up."""
    own_servers["replicated"].wait_ready()
    return own_servers["replicated"]


@pytest.fixture
def rough(rough_servers: ClusterServers) -> Iterator[Cluster]:
    """A transport to `rough_servers`, connected to all of them."""
    yield from _connected(rough_servers)


@pytest.fixture
def moving(moving_servers: ClusterServers) -> Iterator[Cluster]:
    """A transport to `moving_servers`, connected to all of them."""
    yield from _connected(moving_servers)


def _ready(servers: ClusterServers) -> ClusterServers:
    servers.wait_ready()
    servers.flush()
    return servers


def _connected(servers: ClusterServers) -> Iterator[Cluster]:
    transport = Cluster(servers.settings())
    for node in transport.nodes():
        transport.run_on(node, ("PING",))
    yield transport
    transport.close()

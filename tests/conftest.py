"""Fixtures for tests that need Redis: real clusters, started once a session and emptied between tests.

GANGER_TEST_SERVERS lists them as binary:primaries; each test that uses `cluster_servers` runs against each.
"""

import os
from collections.abc import Iterator

import pytest

from ganger.cluster import Cluster
from support.servers import ClusterServers, binary_path
from support.throttles import ThrottleServers

SERVERS = os.environ.get("GANGER_TEST_SERVERS", "valkey:1,valkey:3,redis:3").split(",")


@pytest.fixture(scope="session")
def all_servers() -> Iterator[dict[str, ClusterServers]]:
    """All clusters of GANGER_TEST_SERVERS that can be had here, starting side by side."""
    servers = {}
    for name in SERVERS:
        binary, _, primaries = name.strip().partition(":")
        if binary_path(binary) is not None:
            servers[name] = ClusterServers(binary, primaries=int(primaries or 3), password="open sesame")
    try:
        for one in servers.values():
            one.start()
        yield servers
    finally:
        for one in servers.values():
            one.stop()


@pytest.fixture(scope="session", params=SERVERS, ids=lambda name: name.replace(":", "-"))
def running_servers(request: pytest.FixtureRequest, all_servers: dict[str, ClusterServers]) -> ClusterServers:
    """One of them, ready."""
    if request.param not in all_servers:
        pytest.skip(f"{request.param}: no redis-server of 7.0 or newer on PATH")
    servers = all_servers[request.param]
    servers.wait_ready()
    return servers


@pytest.fixture
def cluster_servers(running_servers: ClusterServers) -> ClusterServers:
    """One of them, ready and empty. A test that moves slots or kills nodes starts servers of its own."""
    running_servers.flush()
    return running_servers


@pytest.fixture
def cluster(cluster_servers: ClusterServers) -> Iterator[Cluster]:
    """A transport to `cluster_servers`."""
    transport = Cluster(cluster_servers.settings())
    yield transport
    transport.close()


BINARIES = list(dict.fromkeys(name.strip().partition(":")[0] for name in SERVERS))


@pytest.fixture(scope="session", params=BINARIES)
def running_throttles(request: pytest.FixtureRequest) -> Iterator[ThrottleServers]:
    """Three standalone servers."""
    if binary_path(request.param) is None:
        pytest.skip(f"{request.param}: no redis-server of 7.0 or newer on PATH")
    with ThrottleServers(request.param) as servers:
        yield servers


@pytest.fixture
def throttle_servers(running_throttles: ThrottleServers) -> ThrottleServers:
    """The same, empty, and known to have forgotten nothing. A test that kills them starts its own."""
    running_throttles.flush()
    return running_throttles

"""Fixtures for tests that need Redis: real clusters, started once a session and emptied between tests.

GANGER_TEST_SERVERS lists them as binary:primaries; each test that uses `cluster_servers` runs against each.
"""

import contextlib
import gc
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger.cluster import Cluster
from support.servers import ClusterServers, binary_path
from support.throttles import ThrottleServers
from support.waiting import until

SERVERS = os.environ.get("GANGER_TEST_SERVERS", "valkey:1,valkey:3,redis:3").split(",")

LEFT_OPEN = 40
"""Descriptors that the tests of a module may leave: of servers that stay for the session, say."""


LONGEST = {f"test_{name}.py" for name in ("chaos", "killed_roles", "big_one", "clocks", "redis_killed")}
"""Files that begin first, each in a process of its own beside the others: the last ones to end are short."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


def open_descriptors() -> list[str]:
    """What each is."""
    found = []
    for fd in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found.append(str(fd.readlink()))
    return found


@pytest.fixture(scope="module", autouse=True)
def closes_what_it_opens(request: pytest.FixtureRequest) -> Iterator[None]:
    """All modules share one process and its limit: one that leaves many descriptors open fails here, and not
    another one long after it."""
    before = len(open_descriptors())
    yield
    if len(open_descriptors()) - before <= LEFT_OPEN // 2:
        return
    gc.collect()  # what is garbage closes then
    try:
        until(lambda: len(open_descriptors()) - before <= LEFT_OPEN, "fewer descriptors")
    except AssertionError:
        left = open_descriptors()
        kinds = Counter(name.rstrip("0123456789[]") for name in left).most_common(5)
        pytest.fail(f"{request.path.name} left {len(left) - before} descriptors open; open are {kinds}")


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

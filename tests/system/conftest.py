"""Fixtures of the book of incidents. `scene` is on one kind of servers, a different one from test to test;
`every_scene` runs a test on each kind.

Where a test fails, its directory stays (pytest says where) and the tails of its hosts' logs are shown."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.scene import Scene
from support.servers import ClusterServers


@pytest.fixture
def scene(
    all_servers: dict[str, ClusterServers], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Scene]:
    yield from _scene(_chosen(all_servers, request.node.name), tmp_path)


@pytest.fixture
def every_scene(cluster_servers: ClusterServers, tmp_path: Path) -> Iterator[Scene]:
    yield from _scene(cluster_servers, tmp_path)


@pytest.fixture(scope="module")
def host_scene(
    all_servers: dict[str, ClusterServers],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Scene]:
    """One host of two workers that goes through all tests of a module."""
    servers = _chosen(all_servers, request.node.name)
    for made in _scene(servers, tmp_path_factory.mktemp("host")):
        made.gang()
        yield made


def _scene(servers: ClusterServers, root: Path) -> Iterator[Scene]:
    made = Scene(servers, root)
    try:
        yield made
    finally:
        made.close()


def _chosen(all_servers: dict[str, ClusterServers], name: str) -> ClusterServers:
    """A kind of servers that follows from a test's name, empty and ready."""
    names = sorted(all_servers)
    if not names:
        pytest.skip("none of GANGER_TEST_SERVERS can be had here")
    servers = all_servers[names[zlib.crc32(name.encode()) % len(names)]]
    servers.wait_ready()
    servers.flush()
    return servers


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    found = [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Scene)]
    if report.failed:
        for made in found:
            servers = f"{made.servers.binary}, {made.servers.primaries} primaries"
            for gang in made.gangs:
                report.sections.append((f"log of {gang.root} ({servers})", gang.tail()))


@pytest.hookimpl
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("system")

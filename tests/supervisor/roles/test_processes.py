"""Each role as a real process, exec'd as the master does it."""

import os
from collections.abc import Iterator

import pytest

from ganger.cluster import Cluster
from ganger.operations import control
from gangerd.board import Board
from gangerd.config import Config
from gangerd.linux import doorbell
from gangerd.linux.shared_memory import map_region
from gangerd.messages import Drain, RoleFailed, RoleReady
from gangerd.recorder import BOARD_BYTES, HEADER_BYTES, HeaderWord
from support import jobs
from support.children import readable
from support.roles import HOST, Process, recorder
from support.servers import ClusterServers
from support.waiting import until


@pytest.fixture
def cluster_servers(all_servers: dict[str, ClusterServers]) -> ClusterServers:
    """The first of them: what differs between servers is tested without processes."""
    servers = next(iter(all_servers.values()))
    servers.wait_ready()
    servers.flush()
    return servers


@pytest.fixture
def memory() -> Iterator[tuple[int, int]]:
    """A recorder and a doorbell."""
    fd, bell = recorder(), doorbell.create()
    yield fd, bell
    os.close(fd)
    os.close(bell)


def test_a_coordinator_process(
    cluster: Cluster, cluster_servers: ClusterServers, memory: tuple[int, int]
) -> None:
    fd, bell = memory
    board = Board(memoryview(map_region(fd, HEADER_BYTES, BOARD_BYTES)))
    board.set_idle(0, True)
    config = Config(redis=cluster_servers.url, partitions=2)
    process = Process("coordinator", config, fd, bell, manifest=False)
    try:
        header = memoryview(map_region(fd, 0, HEADER_BYTES)).cast("Q")
        until(lambda: bool(header[HeaderWord.COORDINATOR_AT_NS]), "a sign of life while the app is imported")
        process.imported()
        assert process.hear(RoleReady).role == "coordinator"
        mail = jobs.queue(cluster, count=2)
        jobs.push(cluster, mail[1])
        assert readable(bell)
        assert [index for index, _ in board.waiting(0, 2)] == [1]
        process.master.send(Drain())
        assert process.process.wait(10) == 0
    finally:
        process.end()


def test_a_scheduler_process_leads_and_ends_with_its_master(
    cluster: Cluster, cluster_servers: ClusterServers, memory: tuple[int, int]
) -> None:
    process = Process("scheduler", Config(redis=cluster_servers.url), *memory)
    try:
        assert process.hear(RoleReady).role == "scheduler"
        until(lambda: control.lead(cluster, jobs.KEYS, "somebody else", 1).holder == HOST, "it leads")
        process.master.close()
        assert process.process.wait(10) == 1
    finally:
        process.end()


def test_a_wrong_password_is_told_in_one_sentence(
    cluster_servers: ClusterServers, memory: tuple[int, int]
) -> None:
    url = cluster_servers.url.replace("open sesame", "wrong")
    process = Process("coordinator", Config(redis=url), *memory)
    try:
        failed = process.hear(RoleFailed)
        assert (failed.role, failed.exit_code) == ("coordinator", 78)
        assert "password" in failed.error
        assert "\n" not in failed.error
        assert process.process.wait(10) == 78
    finally:
        process.end()

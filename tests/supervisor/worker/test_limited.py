"""A worker and a limited queue: what it does with a pass, and without one."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger import Client, job
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.keys import Control, Partition, partitions
from ganger.operations import lanes, look
from ganger.operations.control import register_queue
from gangerd.linux import doorbell
from gangerd.passes import UNBOUND, PassState
from gangerd.recorder import Control as Word
from support.hosted import Hosted
from support.servers import ClusterServers
from support.waiting import until


@job(name="limited.gate", queue="limited")
def gate(began: str, opened: str) -> None:
    Path(began).touch()
    while not Path(opened).exists():
        time.sleep(0.005)


@job(name="limited.touch", queue="limited")
def touch(path: str) -> None:
    Path(path).touch()


class Limited(Hosted):
    """Its queue is limited, and the test has the passes."""

    def offer(self, valid_s: float = 60.0, uses: int = UNBOUND) -> int:
        now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        number = self.passes.offer(0, [], now_ns + int(valid_s * 1e9), now_ns, uses=uses)
        assert number is not None
        return number

    def state(self, number: int) -> PassState:
        return dict(self.passes.rows())[number].state


@pytest.fixture
def limited(cluster_servers: ClusterServers, cluster: Cluster) -> Iterator[Limited]:
    register_queue(cluster, Control("ganger"), "limited", 1)
    one = Limited(cluster_servers, "limited")
    yield one
    one.end()


@pytest.fixture
def client(cluster_servers: ClusterServers) -> Iterator[Client]:
    one = Client(EngineConfig(redis=cluster_servers.settings()))
    yield one
    one.close()


def test_without_a_pass_nothing_is_claimed_from_a_limited_queue(
    limited: Limited, client: Client, cluster: Cluster, tmp_path: Path
) -> None:
    client.push_many("limited.touch", [(str(tmp_path / str(n)),) for n in range(3)], queue="limited")
    limited.ring()
    until(lambda: limited.passes.wanted_ns(0) > 0, "it came by in vain")
    stale = limited.offer(valid_s=-1)
    doorbell.ring(limited.bell)
    until(lambda: limited.state(stale) == PassState.SPENT, "a pass whose time is over is not used")
    assert list(tmp_path.iterdir()) == []
    (place,) = partitions("ganger", "limited", 1)
    seen = look.parse_look(cluster.run(look.look_command(place)), place)
    assert (seen.ready, seen.in_flight) == (3, 0)


def test_a_worker_of_a_host_without_the_rule_sorts_nothing_and_rests(
    cluster_servers: ClusterServers, client: Client, cluster: Cluster, tmp_path: Path
) -> None:
    register_queue(cluster, Control("ganger"), "plain", 1)
    (place,) = partitions("ganger", "plain", 1)
    client.push("limited.touch", [str(tmp_path / "before")], queue="plain")
    aside = lanes.aside_command(place, [lanes.Mark("limited.touch", True, "args.path")], 60_000)
    assert lanes.parse_aside(cluster.run(aside), place)
    one = Hosted(cluster_servers, "plain")
    try:
        one.ring()
        until(lambda: not any(one.board.waiting(0, 1)), "it has seen that there is nothing for it")
        found = lanes.parse_unsorted(cluster.run(lanes.unsorted_command(place)), place)
        assert [job.type for job in found] == ["limited.touch"] and not list(tmp_path.iterdir())
    finally:
        one.end()


def test_a_pass_is_kept_from_job_to_job_and_spent_when_there_is_no_more(
    limited: Limited, client: Client, tmp_path: Path
) -> None:
    began, opened = tmp_path / "began", tmp_path / "opened"
    client.push("limited.gate", [str(began), str(opened)], queue="limited")
    client.push_many("limited.touch", [(str(tmp_path / str(n)),) for n in range(3)], queue="limited")
    number = limited.offer()
    limited.ring()
    until(began.exists, "the first runs")
    # One job in hand and no more: the others wait where any host may have them.
    assert len(limited.page.snapshot().held) == 1 and limited.state(number) == PassState.TAKEN
    opened.touch()
    until(lambda: all((tmp_path / str(n)).exists() for n in range(3)), "the others have run")
    until(lambda: limited.state(number) == PassState.SPENT, "the pass is spent")


def test_a_worker_that_retires_spends_its_pass(limited: Limited, client: Client, tmp_path: Path) -> None:
    began, opened = tmp_path / "began", tmp_path / "opened"
    client.push("limited.gate", [str(began), str(opened)], queue="limited")
    client.push("limited.touch", [str(tmp_path / "never")], queue="limited")
    number = limited.offer()
    limited.ring()
    until(began.exists, "it runs")
    limited.page.set_control(Word.MAY_CLAIM | Word.RETIRE)
    assert limited.state(number) == PassState.TAKEN
    opened.touch()
    until(lambda: limited.state(number) == PassState.SPENT, "the pass is spent")
    assert not (tmp_path / "never").exists()


def test_a_pass_lets_so_many_begin_as_it_says(
    limited: Limited, client: Client, cluster: Cluster, tmp_path: Path
) -> None:
    client.push_many("limited.touch", [(str(tmp_path / str(n)),) for n in range(5)], queue="limited")
    first = limited.offer(uses=3)
    limited.ring()
    until(lambda: limited.state(first) == PassState.SPENT, "the pass is used up")
    assert limited.passes.uses(first) == 0
    (place,) = partitions("ganger", "limited", 1)
    until(lambda: _waiting(cluster, place) == (2, 0), "the others wait")
    assert len(list(tmp_path.iterdir())) == 3
    second = limited.offer(uses=9)
    limited.ring()
    until(lambda: limited.state(second) == PassState.SPENT, "there is no more")
    # What its claims have not brought may go back.
    assert len(list(tmp_path.iterdir())) == 5 and limited.passes.uses(second) == 7


def test_what_is_not_begun_in_time_goes_back_and_so_do_its_uses(
    limited: Limited, client: Client, cluster: Cluster, tmp_path: Path
) -> None:
    # Cheap jobs first, so that the worker takes several in one claim.
    client.push_many("limited.gate", [("/dev/null", "/dev/null")] * 20, queue="limited")
    warm = limited.offer()
    limited.ring()
    until(lambda: limited.state(warm) == PassState.SPENT, "warm")
    began, opened = tmp_path / "began", tmp_path / "opened"
    client.push_many("limited.gate", [(str(began), str(opened))] * 3, queue="limited")
    number = limited.offer(uses=3)
    limited.ring()
    until(began.exists, "the first runs")
    limited.passes.renewed(number, [], 0)
    held = len(limited.page.snapshot().held)
    assert held > 1 and limited.passes.uses(number) == 3 - held
    opened.touch()
    until(lambda: limited.state(number) == PassState.SPENT, "spent")
    assert limited.passes.uses(number) == 2
    (place,) = partitions("ganger", "limited", 1)
    until(lambda: _waiting(cluster, place) == (2, 0), "the others wait again")


def _waiting(cluster: Cluster, place: Partition) -> tuple[int, int]:
    seen = look.parse_look(cluster.run(look.look_command(place)), place)
    return seen.ready, seen.in_flight

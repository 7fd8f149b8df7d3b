"""A whole worker in a process of its own, with the test in the master's and the coordinator's place."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger import Client, hooks, job, on_worker_start, on_worker_stop
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.keys import Control, partitions
from ganger.operations import look
from ganger.operations.control import register_queue
from gangerd import messages
from gangerd.linux import doorbell
from gangerd.recorder import Control as Word
from support.hosted import Hosted
from support.servers import ClusterServers
from support.waiting import until


@job(name="l.gate", queue="l")
def gate(began: str, opened: str) -> None:
    Path(began).touch()
    while not Path(opened).exists():
        time.sleep(0.005)


@job(name="l.touch", queue="l")
def touch(path: str) -> None:
    Path(path).touch()


@job(name="l.write", queue="l")
def write(path: str, word: str) -> None:
    with Path(path).open("a") as file:
        file.write(word)


@on_worker_start
def tell_start() -> None:
    tell("started")


@on_worker_stop
def tell_stop() -> None:
    tell("stopped")


@on_worker_stop
def fail_to_stop() -> None:
    raise RuntimeError("the last one defined is the first to run, and keeps nobody from running")


def tell(what: str) -> None:
    if "HOOKS_TELL" in os.environ:
        (Path(os.environ["HOOKS_TELL"]) / what).write_text(str(os.getpid()))


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the hooks of the next worker tell that they ran."""
    monkeypatch.setenv("HOOKS_TELL", str(tmp_path))
    return tmp_path


@pytest.fixture
def hosted(cluster_servers: ClusterServers, cluster: Cluster) -> Iterator[Hosted]:
    register_queue(cluster, Control("ganger"), "l", 1)
    one = Hosted(cluster_servers, "l")
    yield one
    one.end()


@pytest.fixture
def client(cluster_servers: ClusterServers) -> Iterator[Client]:
    one = Client(EngineConfig(redis=cluster_servers.settings()))
    yield one
    one.close()


def test_what_is_held_is_not_started_when_leases_have_not_been_renewed(
    hosted: Hosted, client: Client, cluster: Cluster, tmp_path: Path
) -> None:
    """After 10 s without a renewal a lease may soon be another's: what is not started goes back."""
    began, opened, late = (str(tmp_path / name) for name in ("began", "opened", "late"))
    for _ in range(2):  # so that both types are known to be quick, and are claimed together
        Path(opened).touch()
        client.push("l.gate", [began, opened], queue="l")
        client.push("l.touch", [late], queue="l")
        hosted.ring()
        until(lambda: counters(cluster).get("succeeded", 0) % 2 == 0 and Path(late).exists(), "a quick round")
        for path in (began, opened, late):
            Path(path).unlink()
    hosted.page.set_control(0)
    client.push("l.gate", [began, opened], queue="l")
    client.push("l.touch", [late], queue="l")
    hosted.page.set_control(Word.MAY_CLAIM)
    hosted.ring()
    until(Path(began).exists, "the gate")
    assert len(hosted.page.snapshot().held) == 2
    hosted.stamp(age_s=11)
    Path(opened).touch()
    until(lambda: counters(cluster).get("released", 0) == 1, "the release")
    assert not Path(late).exists()


def test_in_strict_order_the_lower_queue_is_served_when_the_upper_is_empty(
    cluster_servers: ClusterServers, cluster: Cluster, client: Client, tmp_path: Path
) -> None:
    """The lower queue has the board's first line; the upper one comes first in the settings."""
    for queue, word in (("low", "l"), ("up", "u")):
        register_queue(cluster, Control("ganger"), queue, 1)
        for _ in range(5):
            client.push("l.write", [str(tmp_path / "order"), word], queue=queue)
    hosted = Hosted(cluster_servers, "low", "up", queues={"up": 1, "low": 1}, order="strict")
    try:
        hosted.stamp(age_s=-60)  # or, on a slow machine, it would soon look into all queues by itself
        hosted.board.signal(1, 5)
        hosted.board.signal(0, 5)
        doorbell.ring(hosted.bell)
        until(lambda: len(read(tmp_path / "order")) == 10, "all of them")
        assert read(tmp_path / "order") == "u" * 5 + "l" * 5
    finally:
        hosted.end()


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_an_idle_worker_looks_for_itself_while_nobody_keeps_the_board(
    hosted: Hosted, client: Client, tmp_path: Path
) -> None:
    hosted.stamp(age_s=5)
    client.push("l.touch", [str(tmp_path / "found")], queue="l")
    until((tmp_path / "found").exists, "the job nobody rang for", deadline_s=5)


def test_a_worker_that_is_told_to_retire_leaves_in_order(hosted: Hosted, client: Client) -> None:
    hosted.page.set_control(Word.RETIRE)
    hosted.channel.send(messages.Wake())
    until(lambda: any(isinstance(m, messages.Leaving) for m, _ in hosted.channel.receive()), "Leaving")


def test_hooks_run_before_ready_and_at_an_orderly_end(told: Path, hosted: Hosted) -> None:
    assert (told / "started").read_text() == str(hosted.pid)
    hosted.page.set_control(Word.RETIRE)
    hosted.channel.send(messages.Wake())
    until(lambda: any(isinstance(m, messages.Leaving) for m, _ in hosted.channel.receive()), "Leaving")
    until((told / "stopped").exists, "the hook at the end")
    until(lambda: (told / "stopped").read_text() == str(hosted.pid), "what it tells")


def test_a_hook_that_raises_at_the_start_is_named_and_its_worker_ends(
    cluster_servers: ClusterServers, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def connect() -> None:
        raise RuntimeError("no database")

    monkeypatch.setattr(hooks, "_start", [connect])
    hosted = Hosted(cluster_servers, "l", starts=False)
    assert os.waitstatus_to_exitcode(os.waitpid(hosted.pid, 0)[1]) == 1
    told = capfd.readouterr().err
    assert "worker.hook_failed" in told and "RuntimeError: no database" in told and "test_loop.py" in told


def counters(cluster: Cluster) -> dict[str, int]:
    (part,) = partitions("ganger", "l", 1)
    return look.parse_look(cluster.run(look.look_command(part)), part).counters

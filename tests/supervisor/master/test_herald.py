"""herald.py: a whole master with a socket in systemd's place, and the check before each ping."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gangerd.config import Config
from gangerd.linux.notify import Notifier
from gangerd.master import herald
from gangerd.master.cast import cast_for
from gangerd.master.children import NO_SLOT, Child
from gangerd.master.lifecycle import ChildState, System
from gangerd.master.restarts import SECOND
from gangerd.master.tree import Timing, Tree, plant
from support.manager import Manager
from support.masters import master
from support.puppets import close
from support.waiting import until


@pytest.fixture
def manager() -> Iterator[Manager]:
    made = Manager()
    yield made
    made.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, manager: Manager) -> None:
    """What systemd puts into a service's environment; no WATCHDOG_PID, for the master's pid is not known."""
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", "4000000")


def test_a_life_as_systemd_hears_it(tmp_path: Path, manager: Manager, asked: None) -> None:
    with master(tmp_path) as running:
        manager.await_line("READY=1")
        # Told when a first worker could take a job, and not before.
        assert running.await_log("worker.ready")
        starting = manager.said[: manager.said.index("READY=1")]
        assert "EXTEND_TIMEOUT_USEC=20000000" in starting
        assert not [line for line in starting if line.startswith("STATUS=") and "starting" not in line]
        manager.await_line("STATUS=2 of 2 workers, 0 busy, generation 1")
        pid = running.start_job(0)
        manager.await_line("STATUS=2 of 2 workers, 1 busy")
        # The children inherit neither the socket nor the watchdog.
        for child in (pid, running.role_pid("coordinator")):
            environ = Path(f"/proc/{child}/environ").read_bytes()
            assert b"NOTIFY_SOCKET" not in environ and b"WATCHDOG" not in environ
        manager.await_line("WATCHDOG=1", 2)
        running.signal(signal.SIGTERM)
        manager.await_line("STOPPING=1")
        manager.await_line("STATUS=draining: ")
        manager.await_line("EXTEND_TIMEOUT_USEC=", 2)
        os.kill(pid, signal.SIGKILL)
        assert running.wait() == 0


def test_a_stopped_master_pings_no_more(tmp_path: Path, manager: Manager, asked: None) -> None:
    with master(tmp_path) as running:
        manager.await_line("READY=1")
        manager.await_line("WATCHDOG=1")
        running.signal(signal.SIGSTOP)
        stat = Path(f"/proc/{running.process.pid}/stat")
        until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "it stops")
        heard = len(manager.hear())
        assert manager.is_silent(1.2)  # a ping each second is what was asked for
        running.signal(signal.SIGCONT)
        until(lambda: manager.hear()[heard:].count("WATCHDOG=1") > 0, "a ping after it went on")


def test_the_reason_of_a_failed_start_stays_in_status(tmp_path: Path, manager: Manager, asked: None) -> None:
    with master(tmp_path, app="support.no_such_app") as running:
        assert running.wait() != 0
    assert "no_such_app" in manager.await_line("STATUS=could not start: ")
    assert "READY=1" not in manager.said


# ---- the check


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    config = Config(app="support.tiny_app", dir=str(tmp_path), workers=1)
    made = plant(config, cast_for(config), Timing(), 0)
    yield made
    for fd in made.fds.values():
        if fd != made.recorder.fd:
            os.close(fd)
    close(made.recorder)


def a_child(tree: Tree, **fields: Any) -> Child:
    child = Child("scheduler", NO_SLOT, f"{len(tree.mail):016x}", 1, ChildState.STARTING, 0)
    child = dataclasses.replace(child, **fields)
    tree.children.add(child)
    return child


def pings(manager: Manager) -> int:
    return manager.hear().count("WATCHDOG=1")


def test_a_loop_that_leaves_deadlines_behind_is_not_well(tree: Tree, manager: Manager) -> None:
    told = herald.Herald(tree, Notifier(manager.address, 4_000_000))
    child = a_child(tree, deadline_ns=10 * SECOND)
    told.tick(30 * SECOND)
    assert pings(manager) == 1
    told.tick(41 * SECOND)
    assert pings(manager) == 1
    child.deadline_ns = None
    told.tick(42 * SECOND)
    assert pings(manager) == 2


def test_a_loop_that_does_not_reap_is_not_well(tree: Tree, manager: Manager) -> None:
    told = herald.Herald(tree, Notifier(manager.address, 4_000_000))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
    a_child(tree, pid=dead.pid)
    told.tick(1 * SECOND)
    assert pings(manager) == 1
    told.tick(32 * SECOND)
    assert pings(manager) == 1
    told.moved(30 * SECOND)
    told.tick(33 * SECOND)
    assert pings(manager) == 2
    dead.wait()


def test_status_is_said_once_a_second_and_when_it_changes(tree: Tree, manager: Manager) -> None:
    told = herald.Herald(tree, Notifier(manager.address))
    tree.system = System.SERVING
    told.tick(0)
    tree.quiet = True
    told.tick(SECOND // 2)
    assert manager.hear() == ["STATUS=0 of 1 workers, 0 busy, generation 1"]
    told.tick(SECOND)
    told.tick(2 * SECOND)
    assert manager.hear()[1:] == ["STATUS=claims nothing (SIGTSTP), 0 of 1 workers, 0 busy, generation 1"]


def test_a_drain_that_follows_a_start_at_once_has_time_of_its_own(tree: Tree, manager: Manager) -> None:
    told = herald.Herald(tree, Notifier(manager.address))
    told.tick(0)
    tree.system = System.DRAINING
    told.tick(SECOND // 10)
    assert [line for line in manager.hear() if line.startswith("EXTEND")] == [
        "EXTEND_TIMEOUT_USEC=20000000"
    ] * 2


def test_more_time_is_asked_for_while_it_starts_and_ends(tree: Tree, manager: Manager) -> None:
    told = herald.Herald(tree, Notifier(manager.address))
    for system, wanted in ((System.STARTING, 2), (System.SERVING, 2), (System.CLOSING, 4)):
        tree.system = system
        at_ns = 100 * SECOND * (1 + list(System).index(system))
        for offset_s in (0, 4, 6):
            told.tick(at_ns + offset_s * SECOND)
        said = [line for line in manager.hear() if line.startswith("EXTEND")]
        assert len(said) == wanted

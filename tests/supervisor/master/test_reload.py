"""HUP: a new generation comes in beside the old one, which serves on until it has proved itself, and after
that too, until each has had its turn to leave."""

import importlib
import os
import shutil
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from support.masters import MasterProcess, gone, living_children, master
from support.waiting import until

APP = """
from ganger import job

@job(name="tiny.job", queue="q")
def nothing() -> None:
    "Does it."
"""
TIMING = {"canary_idle_s": 0.1}


def write_app(root: Path, text: str = "") -> None:
    (root / "changing_app.py").write_text(APP + text)


def reload(running: MasterProcess, nth: int = 1, event: str = "reload.done") -> dict[str, Any]:
    running.signal(signal.SIGHUP)
    return running.await_log(event, nth)[nth - 1]


def generations(running: MasterProcess) -> set[int]:
    status = running.status()
    return {
        line["generation"] for line in [*status["workers"], *status["roles"]] if line["role"] != "servers"
    }


def all_new(running: MasterProcess, number: int) -> None:
    until(lambda: generations(running) == {number}, f"everything in generation {number}")


def fewest(running: MasterProcess) -> int:
    """The least number of workers in service since the start was over."""
    counts, serving = [], 0
    for line in running.log():
        serving += {"worker.ready": 1, "worker.left": -1, "worker.died": -1}.get(line["event"], 0)
        counts.append(serving)
    return min(counts[counts.index(running.config.workers) :])


def states(running: MasterProcess) -> list[str]:
    return sorted(line["state"] for line in running.status()["workers"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_app(tmp_path)
    (tmp_path / "run").mkdir()
    return tmp_path


def test_everything_is_replaced_and_a_new_one_stands_by(root: Path) -> None:
    with master(root, TIMING, workers=3, app="changing_app") as running:
        running.await_log("worker.ready", 3)
        old = {line["child"] for line in running.log("worker.ready")}
        template = running.role_pid("template")
        done = reload(running)
        assert done["generation"] == 2 and done["lingering"] == 0
        all_new(running, 2)
        until(lambda: all(gone(pid) for pid in [*old, template]), "the old are gone")
        until(lambda: running.status()["reload"]["outcome"] == "done", "the status says so")
        until(lambda: states(running) == ["serving"] * 3 + ["standby"], "one stands by")
        assert running.status()["generation"] == 2 and running.status()["restarts"] == 0
        assert [line["generation"] for line in running.log("worker.ready")] == [1, 1, 1, 2, 2, 2]
        assert not running.log("worker.died") and not running.log("role.died")
        assert fewest(running) == 3, "no place was ever empty"
        # The roles left in order, one after the other, and know the new manifest.
        said = [line.partition(",")[0] for line in running.roles()]
        assert said[-4:] == [
            "coordinator drained",
            "coordinator started",
            "scheduler drained",
            "scheduler started",
        ]


GATED = "import pathlib, time\nwhile not pathlib.Path('gate').exists():\n    time.sleep(0.01)\n"


def stays(running: MasterProcess, nth: int, *words: str) -> None:
    """The nth reload fails, the old generation serves on, and everybody who asks is told why."""
    failed = reload(running, nth, "reload.failed")
    assert all(word in failed["error"] for word in words), failed["error"]
    until(lambda: running.status()["reload"]["error"] == failed["error"], "the status says so")
    until(lambda: states(running) == ["serving"] * 2 + ["standby"], "two serve, one stands by")
    status = running.status()
    assert status["reload"]["outcome"] == "failed" and status["generation"] == 1
    assert not status["last_errors"]
    until(lambda: generations(running) == {1}, "what was taken back is gone")
    called = [line["generation"] for line in running.log("worker.ready")]
    assert called.count(1) == 2 and len(called) <= 2 + nth, "nobody but a canary was called"


def test_an_app_that_cant_be_imported_changes_nothing_and_the_next_may(root: Path) -> None:
    thread = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    with master(root, TIMING | {"import_s": 3.0}, app="changing_app") as running:
        running.await_log("worker.ready", 2)
        write_app(root, "raise ValueError('half a deploy')")
        stays(running, 1, "half a deploy", "changing_app.py")
        write_app(root, "import os\nos._exit(3)")
        stays(running, 2, "exit code 3")
        write_app(root, "import os\nos.kill(os.getpid(), 11)")
        stays(running, 3, "signal 11")
        write_app(root, thread)
        stays(running, 4, "thread")
        write_app(root, GATED)
        stays(running, 5, "starting", "after 3.")
        write_app(root)
        assert reload(running)["generation"] == 7
        all_new(running, 7)


def test_settings_that_cant_be_used_change_nothing(root: Path) -> None:
    cases = [
        ("{", ("settings.json",)),
        ('{"redis": "redis://elsewhere:1"}', ("redis", "restart")),
        ('{"namespace": "other"}', ("namespace", "restart")),
        ('{"workers": 40}', ("workers = 40", "room for (5)")),
    ]
    with master(root, TIMING) as running:
        running.await_log("worker.ready", 2)
        for nth, (settings, words) in enumerate(cases, start=1):
            (root / "settings.json").write_text(settings)
            stays(running, nth, *words)


def test_a_canary_that_dies_or_never_stands_changes_nothing(root: Path) -> None:
    cases = [
        ("exit-early", ("before it could claim", "exit")),
        ("exit-idle", ("before it could claim", "exit")),
        ("hang-early", ("did not become ready",)),
    ]
    with master(root, TIMING | {"birth_s": 3.0}) as running:
        running.await_log("worker.ready", 2)
        until(lambda: states(running) == ["serving"] * 2 + ["standby"], "the old ones are all born")
        for nth, (mode, words) in enumerate(cases, start=1):
            (root / "run" / "mode").write_text(mode)
            stays(running, nth, *words)


def test_another_ganger_on_disk_wants_a_restart(root: Path) -> None:
    library = root / "lib"
    for package in ("ganger", "gangerd"):
        (found,) = importlib.import_module(package).__path__
        shutil.copytree(found, library / package, ignore=shutil.ignore_patterns("__pycache__"))
    with master(root, TIMING, library=library) as running:
        running.await_log("worker.ready", 2)
        with (library / "ganger" / "clock.py").open("a") as file:
            file.write("# the next version\n")
        stays(running, 1, "another version", "restart")


def test_a_long_job_goes_on_in_the_old_generation_and_its_worker_leaves_when_it_ends(root: Path) -> None:
    with master(root, TIMING | {"patience_s": 0.5}, workers=3) as running:
        pid = running.start_job(0)
        assert reload(running)["lingering"] == 1
        slots = {line["slot"]: line["generation"] for line in running.status()["workers"]}
        assert not gone(pid) and slots[running.slot_of(pid)] == 1
        until(lambda: states(running) == ["serving"] * 4 + ["standby"], "three new ones beside it")
        os.kill(pid, signal.SIGUSR2)
        until(lambda: gone(pid), "it has had its turn")
        all_new(running, 2)
        until(lambda: states(running) == ["serving"] * 3 + ["standby"], "three serve")
        assert not running.log("worker.died")


def test_at_reload_timeout_the_job_is_ended_and_goes_back_without_an_attempt(root: Path) -> None:
    (root / "settings.json").write_text('{"reload_timeout_s": 0.5}')
    with master(root, TIMING) as running:
        pid = running.start_job(0)
        reload(running)
        until(lambda: gone(pid), "it was ended")
        until(lambda: len(running.told()) == 1, "its job is settled")
        (death,) = running.told()
        assert (death["cause"], death["uses_attempt"], death["running"]) == ("released", False, 0)
        assert death["generation"] == 1
        all_new(running, 2)


def test_a_job_that_kills_the_canary_does_not_fail_the_reload(root: Path) -> None:
    with master(root, TIMING | {"canary_idle_s": 30.0}) as running:
        running.await_log("worker.ready", 2)
        running.signal(signal.SIGHUP)
        os.kill(running.start_job(2), signal.SIGSEGV)
        running.await_log("reload.done")
        all_new(running, 2)
        until(lambda: states(running) == ["serving"] * 2 + ["standby"], "two serve")


def test_hups_during_a_reload_are_one_more_reload_and_deaths_are_replaced_meanwhile(root: Path) -> None:
    with master(root, TIMING, app="changing_app") as running:
        running.await_log("worker.ready", 2)
        write_app(root, GATED)
        running.signal(signal.SIGHUP)
        until(lambda: running.status()["reload"]["phase"] == "importing", "it imports")
        for _ in range(5):
            running.signal(signal.SIGHUP)
        running.await_log("reload.remembered")
        os.kill(running.start_job(0), signal.SIGSEGV)
        assert running.await_log("worker.ready", 3)[2]["generation"] == 1
        (root / "gate").touch()
        assert [line["generation"] for line in running.await_log("reload.done", 2)] == [2, 3]
        all_new(running, 3)
        until(
            lambda: running.status()["reload"]["answered"] == running.status()["reload"]["asks"], "answered"
        )
        assert len(running.log("reload.begun")) == 2


@pytest.mark.parametrize("phase", ["importing", "canary", "rolling"])
def test_a_term_during_a_reload_drains_both_generations(root: Path, phase: str) -> None:
    timing = {"canary_idle_s": 30.0 if phase == "canary" else 0.1, "patience_s": 60.0}
    with master(root, timing, app="changing_app") as running:
        pid = running.start_job(0)
        if phase == "importing":
            write_app(root, GATED)
        running.signal(signal.SIGHUP)
        until(lambda: running.status()["reload"]["phase"] == phase, f"it is {phase}")
        if phase == "rolling":
            until(
                lambda: 2 in generations(running) and len(running.log("worker.left")) == 1, "one was replaced"
            )
        children = living_children(running)
        running.signal(signal.SIGTERM)
        running.await_log("master.draining")
        running.signal(signal.SIGHUP)
        running.await_log("reload.ignored")
        assert not gone(pid), "its job may finish"
        os.kill(pid, signal.SIGUSR2)
        assert running.wait() == 0
        assert all(gone(child) for child in children)
        assert not running.told() and "stopped" in running.log("reload.failed")[0]["error"]


def test_where_every_seat_is_taken_the_one_who_stands_by_makes_room(root: Path) -> None:
    with master(root, TIMING) as running:
        running.await_log("worker.ready", 2)
        for count in (3, 4, 5):
            running.signal(signal.SIGTTIN)
            running.await_log("worker.ready", count)
        until(lambda: states(running) == ["serving"] * 5 + ["standby"], "all six seats are taken")
        reload(running)
        all_new(running, 2)
        until(lambda: states(running) == ["serving"] * 5 + ["standby"], "and again")


@pytest.mark.parametrize("workers", [1, 4])
def test_the_number_of_workers_may_be_another(root: Path, workers: int) -> None:
    with master(root, TIMING, workers=3) as running:
        running.await_log("worker.ready", 3)
        (root / "settings.json").write_text(f'{{"workers": {workers}}}')
        reload(running)
        until(lambda: states(running) == ["serving"] * workers + ["standby"], f"{workers} serve")
        all_new(running, 2)


def test_systemd_hears_of_its_beginning_and_its_end(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(root / "notify"))
        manager.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(root / "notify"))
        with master(root, TIMING) as running:

            def hear(word: str) -> list[str]:
                said: list[str] = []
                while not any(line.startswith(word) for line in said):
                    said.append(manager.recv(4096).decode())
                return said

            hear("READY=1")
            running.signal(signal.SIGHUP)
            assert "MONOTONIC_USEC=" in hear("RELOADING=1")[-1]
            hear("READY=1")
            (root / "settings.json").write_text("{")
            running.signal(signal.SIGHUP)
            hear("RELOADING=1")
            assert any("reload failed" in line and "settings.json" in line for line in hear("READY=1"))

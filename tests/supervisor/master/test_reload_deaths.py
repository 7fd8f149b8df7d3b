"""Reloads in bad company: deaths in the middle of one, several over a job that does not end, no memory."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from gangerd.linux import headroom
from gangerd.master import reloading
from gangerd.master.children import NO_SLOT, Child, Children
from gangerd.master.lifecycle import ChildState
from gangerd.master.tree import Tree
from support.masters import MasterProcess, gone, master
from support.waiting import until

TIMING = {"canary_idle_s": 0.1}


def generation_of(running: MasterProcess, role: str) -> int:
    found: int = next(row["generation"] for row in running.status()["roles"] if row["role"] == role)
    return found


def serving(running: MasterProcess) -> list[int]:
    """The generations of the workers that serve."""
    return sorted(row["generation"] for row in running.status()["workers"] if row["state"] == "serving")


def test_what_dies_while_the_old_leave_comes_again_in_the_new_generation(tmp_path: Path) -> None:
    with master(tmp_path, TIMING | {"patience_s": 600.0}, workers=2) as running:
        pid = running.start_job(0)
        running.signal(signal.SIGHUP)
        running.await_log("reload.committed")
        until(lambda: serving(running) == [1, 2, 2], "one works on in the old generation")
        until(lambda: generation_of(running, "scheduler") == 2, "the roles have followed")
        os.kill(running.role_pid("template", 1), signal.SIGKILL)
        os.kill(running.role_pid("coordinator", 1), signal.SIGKILL)
        running.role_pid("template", 2)
        running.role_pid("coordinator", 2)
        os.kill(running.start_job(2), signal.SIGSEGV)
        until(lambda: len(running.told()) == 1, "the death is settled")
        assert running.told()[0]["generation"] == 2
        until(lambda: serving(running) == [1, 2, 2], "another has its place")
        os.kill(pid, signal.SIGUSR2)
        assert running.await_log("reload.done")[0]["lingering"] == 0
        until(lambda: serving(running) == [2, 2], "all are new")
        assert (generation_of(running, "template"), generation_of(running, "coordinator")) == (2, 2)


def test_the_old_template_that_dies_while_the_new_one_imports_comes_again_as_old(tmp_path: Path) -> None:
    gate = "import pathlib, time\nwhile not pathlib.Path('gate').exists():\n    time.sleep(0.01)\n"
    app = "from ganger import job\n\n@job(name='tiny.job', queue='q')\ndef nothing():\n    pass\n"
    (tmp_path / "changing_app.py").write_text(app)
    with master(tmp_path, TIMING, app="changing_app") as running:
        running.await_log("worker.ready", 2)
        (tmp_path / "changing_app.py").write_text(gate + app)
        running.signal(signal.SIGHUP)
        until(lambda: running.status()["reload"]["phase"] == "importing", "it imports")
        os.kill(running.role_pid("template"), signal.SIGKILL)
        running.await_log("role.started", 5)  # three roles, the new template, the old one again
        (tmp_path / "gate").touch()
        running.await_log("reload.done")
        until(lambda: serving(running) == [2, 2], "all are new")
        templates = [row for row in running.status()["roles"] if row["role"] == "template"]
        assert [row["generation"] for row in templates] == [2]


def test_a_job_may_outlast_several_reloads(tmp_path: Path) -> None:
    with master(tmp_path, TIMING | {"patience_s": 0.3}, workers=2) as running:
        pid = running.start_job(0)
        for generation in (2, 3, 4):
            running.signal(signal.SIGHUP)
            running.await_log("reload.done", generation - 1)
            expected = [1, generation, generation]
            until(lambda expected=expected: serving(running) == expected, f"{expected}")  # type: ignore[misc]
        os.kill(pid, signal.SIGUSR2)
        until(lambda: gone(pid) and serving(running) == [4, 4], "it had its turn when its job had ended")
        assert not running.log("worker.died")


@pytest.mark.parametrize(("free", "refused"), [(0, True), (1 << 62, False), (None, False)])
def test_a_second_copy_of_the_app_wants_room(
    free: int | None, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can't be known refuses nothing."""
    children = Children()
    children.add(Child("template", NO_SLOT, "a" * 16, 1, ChildState.SERVING, 0, os.getpid()))
    tree = cast(Tree, SimpleNamespace(children=children))
    monkeypatch.setattr(headroom, "available_bytes", lambda: free)
    said = reloading.room(tree)
    assert ("not enough memory" in said and "0 MB are free" in said) if refused else said == ""

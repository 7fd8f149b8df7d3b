"""How a master comes up, and how it refuses to: order, files, and one sentence with an exit code."""

import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.masters import MasterProcess, master
from support.waiting import until


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MasterProcess]:
    """One that nothing is done to. A descriptor of the test's, left open for it to inherit, is not its
    children's business."""
    left, other = os.pipe()
    os.set_inheritable(left, True)
    try:
        with master(tmp_path_factory.mktemp("serving"), embedded=True, pass_fds=(left,)) as running:
            running.left_open = f"pipe:[{os.fstat(left).st_ino}]"
            running.await_log("master.serving")
            until(lambda: len(running.log("role.ready")) == 4, "all roles serve")
            yield running
    finally:
        os.close(left)
        os.close(other)


def test_it_serves_when_a_worker_and_the_coordinator_do(serving: MasterProcess) -> None:
    events = [(line["event"], line.get("role", "")) for line in serving.log()]
    announced = events.index(("master.serving", ""))
    for sooner in (("template.ready", ""), ("worker.ready", ""), ("role.ready", "coordinator")):
        assert events.index(sooner) < announced


def test_what_speaks_to_the_servers_starts_after_them_and_workers_after_the_template_too(
    serving: MasterProcess,
) -> None:
    seen = [(line["event"], line.get("role", "worker")) for line in serving.log()]
    for role in ("coordinator", "scheduler"):
        assert seen.index(("role.ready", "servers")) < seen.index(("role.started", role))
    for role in ("servers", "template"):
        assert seen.index(("role.ready", role)) < seen.index(("worker.ready", "worker"))


def test_a_role_gets_the_descriptors_it_needs_and_no_more(serving: MasterProcess) -> None:
    assert sorted(serving.roles()) == [
        "coordinator started, fds channel config doorbell manifest recorder",
        "scheduler started, fds channel config doorbell manifest recorder",
        "servers started, fds channel config",
    ]


def test_what_the_shell_left_open_does_not_reach_the_children(serving: MasterProcess) -> None:
    for pid in (serving.role_pid("coordinator"), serving.role_pid("template"), serving.worker(0)):
        assert serving.left_open not in {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()}


def test_the_status_file_tells_who_lives(serving: MasterProcess) -> None:
    until(
        lambda: [line["state"] for line in serving.status()["workers"]].count("standby") == 1,
        "a status of a master that serves and has its reserve",
    )
    status = serving.status()
    pids = {line["pid"] for line in status["workers"] if line["state"] == "serving"}
    assert status["state"] == "serving" and pids == {serving.worker(0), serving.worker(1)}
    assert {line["role"] for line in status["roles"]} == {"servers", "template", "coordinator", "scheduler"}
    assert status["pid"] == serving.process.pid and status["generation"] == 1


def test_its_recorder_is_locked_while_it_lives_private_and_gone_after_a_drain(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        running.await_log("master.serving")
        (path,) = running.run_dir.glob("recorder-*")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with path.open("r+b") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)
                locked = False
            except OSError:
                locked = True
        assert locked
        running.process.terminate()
        assert running.wait() == 0
        assert not path.exists()


def test_an_app_that_can_not_be_imported_ends_it_with_78(tmp_path: Path) -> None:
    with master(tmp_path, app="nosuchapp") as running:
        assert running.wait() == 78
        (failed,) = running.log("template.failed")
        assert "nosuchapp" in failed["error"]
        assert not running.log("worker.ready") and not running.roles()
        assert "Traceback" not in running.log_file.read_text()


def test_a_role_that_can_never_serve_ends_it_with_its_code(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "role-mode-coordinator").write_text("fail")
    with master(tmp_path) as running:
        assert running.wait() == 78
        assert running.log("role.failed")[0]["error"] == "no such thing as a Redis here"


def test_a_role_that_only_dies_is_tried_again_and_then_given_up(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "role-mode-coordinator").write_text("exit")
    with master(tmp_path, {"first_tries": 3}) as running:
        assert running.wait() == 1
        assert len([line for line in running.log("role.died") if line["role"] == "coordinator"]) == 3


def test_workers_that_die_before_they_are_ready_end_a_start(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mode").write_text("exit-early")
    with master(tmp_path, {"first_tries": 4}) as running:
        assert running.wait() == 1
        assert any(
            "the worker could not be started" in line["error"] for line in running.log("master.start_failed")
        )

"""How a master comes up, and how it refuses to: order, files, and one sentence with an exit code."""

import fcntl
import os
import stat
from pathlib import Path

from support.masters import master
from support.waiting import until


def test_it_serves_when_a_worker_and_the_coordinator_do(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        events = [line["event"] for line in (running.await_log("master.serving") and running.log())]
        assert events.index("template.ready") < events.index("worker.ready") < events.index("master.serving")
        ready = [line for line in running.log("role.ready") if line["role"] == "coordinator"]
        assert ready and running.log("worker.ready")


def test_each_order_starts_only_after_the_one_below_serves(tmp_path: Path) -> None:
    with master(tmp_path, embedded=True) as running:
        running.await_log("master.serving")
        lines = [(line["event"], line["role"]) for line in running.log() if line["event"].startswith("role.")]
        for role, below in (
            ("coordinator", "servers"),
            ("coordinator", "template"),
            ("scheduler", "template"),
        ):
            assert lines.index(("role.ready", below)) < lines.index(("role.started", role))


def test_a_role_gets_the_descriptors_it_needs_and_no_more(tmp_path: Path) -> None:
    with master(tmp_path, embedded=True) as running:
        running.await_log("master.serving")
        until(lambda: len(running.roles()) == 3, "all three roles")
        assert sorted(running.roles()) == [
            "coordinator started, fds channel config doorbell manifest recorder",
            "scheduler started, fds channel config doorbell manifest recorder",
            "servers started, fds channel config",
        ]


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


def test_the_status_file_tells_who_lives(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        running.await_log("master.serving")
        pids = {slot: running.worker_pid(slot) for slot in (0, 1)}
        until(
            lambda: running.status()["state"] == "serving" and len(running.status()["workers"]) == 2, "status"
        )
        status = running.status()
        assert {line["slot"]: line["pid"] for line in status["workers"]} == pids
        assert {line["role"] for line in status["roles"]} == {"template", "coordinator", "scheduler"}
        assert status["pid"] == running.process.pid and status["generation"] == 1


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
            "the worker could not be started" in line["error"] for line in running.log("master.forced")
        )


def test_what_the_shell_left_open_does_not_reach_the_children(tmp_path: Path) -> None:
    left, other = os.pipe()
    os.set_inheritable(left, True)
    name = f"pipe:[{os.fstat(left).st_ino}]"
    try:
        with master(tmp_path) as running:
            for pid in (running.role_pid("coordinator"), running.worker_pid(0)):
                assert name not in {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()}
    finally:
        os.close(left)
        os.close(other)

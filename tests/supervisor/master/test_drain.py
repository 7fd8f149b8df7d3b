"""The end: in order, with jobs finished or given back, within its time, and at once when asked twice."""

import os
import signal
import time
from pathlib import Path

from support.masters import gone, master
from support.waiting import until


def test_a_drain_waits_for_the_job_that_runs(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        running.await_log("master.serving")
        worker = running.start_job(0)
        running.worker(1)
        running.signal(signal.SIGTERM)
        until(lambda: len(running.log("worker.left")) == 1, "the idle one has left")
        assert not gone(worker) and not running.ended()
        os.kill(worker, signal.SIGUSR2)
        assert running.wait() == 0
        assert len(running.log("worker.left")) == 2 and not running.told()


def test_roles_leave_in_the_reverse_of_their_order_after_the_last_worker(tmp_path: Path) -> None:
    with master(tmp_path, embedded=True) as running:
        running.await_log("master.serving")
        until(lambda: len(running.log("role.ready")) == 4, "all roles serve")
        running.signal(signal.SIGINT)
        assert running.wait() == 0
        assert running.roles()[3:] == ["coordinator drained", "scheduler drained", "servers drained"]
        assert not running.log("role.died")


def test_what_does_not_finish_is_killed_reaped_and_given_back_as_released(tmp_path: Path) -> None:
    with master(tmp_path, shutdown_timeout_s=0.5) as running:
        running.await_log("master.serving")
        worker = running.start_job(0)
        began = time.monotonic()
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert 0.4 < time.monotonic() - began < 5 and gone(worker)
        (death,) = running.told()
        assert (death["cause"], death["uses_attempt"], death["running"]) == ("released", False, 0)


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with master(tmp_path, shutdown_timeout_s=60.0) as running:
        running.await_log("master.serving")
        running.start_job(0)
        running.start_job(1)
        running.signal(signal.SIGTERM)
        running.await_log("master.draining")
        began = time.monotonic()
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert time.monotonic() - began < 5
        assert {death["cause"] for death in running.told()} == {"released"} and len(running.told()) == 2


def test_deaths_that_nobody_settles_wait_on_disk_and_hold_the_end_up_only_so_long(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "role-mode-coordinator").write_text("mute")
    with master(tmp_path, {"settle_wait_s": 0.5}) as running:
        running.await_log("master.serving")
        os.kill(running.start_job(0), signal.SIGABRT)
        running.await_log("worker.died")
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert running.log("master.stopped")[0]["undelivered_deaths"] == 1
        assert len(list((running.run_dir / "deaths").iterdir())) == 1


def test_a_coordinator_killed_during_the_drain_is_replaced_for_the_last_deaths(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        running.await_log("master.serving")
        worker = running.start_job(0)
        running.signal(signal.SIGTERM)
        running.await_log("master.draining")
        os.kill(running.role_pid("coordinator"), signal.SIGKILL)
        running.role_pid("coordinator", 1)
        os.kill(worker, signal.SIGABRT)
        assert running.wait() == 0
        assert len(running.told()) == 1


def test_a_signal_during_the_start_is_a_drain_too(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(30)\n")
    with master(tmp_path, app="slow") as running:
        running.await_log("role.started")
        running.signal(signal.SIGTERM)
        assert running.wait(5) == 0
        assert not running.log("master.serving")


def test_servers_that_are_being_made_are_not_killed_half_way(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    mode = tmp_path / "run" / "role-mode-servers"
    mode.write_text("slow")
    with master(tmp_path, embedded=True) as running:
        running.await_log("template.ready")
        assert not running.log("worker.ready")
        running.signal(signal.SIGTERM)
        running.await_log("master.draining")
        mode.unlink()
        assert running.wait() == 0
        assert running.roles() == ["servers started, fds channel config", "servers drained"]


def test_no_process_of_it_is_left(tmp_path: Path) -> None:
    with master(tmp_path, embedded=True) as running:
        running.await_log("master.serving")
        pids = [running.worker(0), running.worker(1)]
        pids += [running.role_pid(role) for role in ("servers", "template", "coordinator", "scheduler")]
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert all(gone(pid) for pid in pids)

"""Roles are replaced within a second, and the coordinator also when it only hangs; deaths wait for it."""

import os
import signal
import time
from pathlib import Path

from support.masters import gone, master
from support.waiting import until


def test_a_killed_role_is_replaced_and_the_workers_do_not_notice(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        running.await_log("master.serving")
        workers = [running.worker(0), running.worker(1)]
        for role in ("coordinator", "scheduler"):
            os.kill(running.role_pid(role), signal.SIGKILL)
            began = time.monotonic()
            running.role_pid(role, 1)
            assert time.monotonic() - began < 2.0
        assert not any(gone(pid) for pid in workers)
        assert not running.log("worker.died")


def test_a_coordinator_that_hangs_is_killed_and_replaced(tmp_path: Path) -> None:
    with master(tmp_path, {"stale_s": 0.7}) as running:
        running.await_log("master.serving")
        first = running.role_pid("coordinator")
        os.kill(first, signal.SIGSTOP)
        second = running.role_pid("coordinator", 1)
        assert second != first and gone(first)
        assert "no sign of life" in running.log("role.replaced")[0]["error"]


def test_a_death_is_told_to_the_next_coordinator_when_this_one_is_away(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        running.await_log("master.serving")
        coordinator = running.role_pid("coordinator")
        os.kill(coordinator, signal.SIGSTOP)
        os.kill(running.start_job(0), signal.SIGABRT)
        running.worker(2)
        assert not running.told()
        os.kill(coordinator, signal.SIGKILL)
        until(lambda: len(running.told()) == 1, "the death is told")
        until(lambda: running.status()["undelivered_deaths"] == 0, "it is settled")
        until(lambda: not list((running.run_dir / "deaths").iterdir()), "and is on the disk no more")


def test_a_death_not_acknowledged_is_told_again_to_a_new_coordinator(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    mode = tmp_path / "run" / "role-mode-coordinator"
    mode.write_text("mute")
    with master(tmp_path) as running:
        running.await_log("master.serving")
        os.kill(running.start_job(0), signal.SIGABRT)
        until(lambda: len(running.told()) == 1, "the death is told")
        mode.unlink()
        os.kill(running.role_pid("coordinator"), signal.SIGKILL)
        until(lambda: len(running.told()) == 2, "it is told again")
        first, again = running.told()
        assert first == again
        until(lambda: running.status()["undelivered_deaths"] == 0, "it is settled")


def test_time_in_which_the_master_was_away_is_nobodys_fault(tmp_path: Path) -> None:
    """Frozen with all that is its: on waking, everyone's stamps are old."""
    with master(tmp_path, {"away_s": 0.5, "stale_s": 1.0}) as running:
        running.await_log("master.serving")
        coordinator = running.role_pid("coordinator")
        for pid in (running.process.pid, coordinator):
            os.kill(pid, signal.SIGSTOP)
        time.sleep(1.5)  # the very thing: time that passes unseen
        os.kill(running.process.pid, signal.SIGCONT)
        running.await_log("master.was_away")
        os.kill(coordinator, signal.SIGCONT)
        running.signal(signal.SIGUSR2)
        running.await_log("master.state_dumped")
        assert not gone(coordinator) and not running.log("role.replaced")


def test_a_killed_master_takes_its_tree_along_and_its_successor_tells_of_the_dead(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        running.await_log("master.serving")
        worker = running.start_job(0)
        tree = [worker, running.worker(1), running.role_pid("coordinator"), running.role_pid("template")]
        running.process.kill()
        running.wait()
        until(lambda: all(gone(pid) for pid in tree), "the whole tree is gone")
    (tmp_path / "log").rename(tmp_path / "log.first")
    with master(tmp_path) as successor:
        until(
            lambda: any(death["running"] is not None for death in successor.told()), "the lost job is told of"
        )
        (lost,) = [death for death in successor.told() if death["running"] is not None]
        assert lost["cause"] == "lost" and not lost["uses_attempt"]
        assert lost["held"][0][4].startswith("jid-")
        assert len(list(successor.run_dir.glob("recorder-*"))) == 1


def test_a_worker_that_talks_nonsense_without_end_keeps_the_master_from_nothing(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mode-0").write_text("babble")
    with master(tmp_path) as running:
        running.await_log("master.serving")
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert running.log("master.garbage_received")[0]["count"] > 0
        said = running.log("master.message_unexpected")[0]["messages"]
        assert said["DeathSettled"] > 0 and said["Ready"] > 0

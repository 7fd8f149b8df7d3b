"""A reload whose first worker is well and whose others don't come: it ends, and the next one may mend it."""

import signal
from pathlib import Path

from support.masters import MasterProcess, master
from support.waiting import until

SEATS = 7
TIMING = {"canary_idle_s": 0.1, "patience_s": 0.5}


def modes(running: MasterProcess, mode: str) -> None:
    """How workers are to be born from now on."""
    for slot in range(SEATS):
        (running.run_dir / f"mode-{slot}").write_text(mode)


def committed(running: MasterProcess) -> None:
    """A new generation in which nobody but its canary, in the last seat, comes to serve."""
    running.await_log("worker.ready", 3)
    modes(running, "exit-early")
    (running.run_dir / f"mode-{SEATS - 1}").unlink()
    running.signal(signal.SIGHUP)
    running.await_log("reload.committed")
    until(lambda: len(running.log("worker.died")) >= 2, "those who follow die at birth")


def test_another_reload_is_not_kept_waiting(tmp_path: Path) -> None:
    with master(tmp_path, TIMING, workers=3) as running:
        committed(running)
        running.signal(signal.SIGHUP)
        failed = running.await_log("reload.failed")[0]
        assert (failed["generation"], failed["serving"]) == (2, 2)
        assert "not enough new ones come" in failed["error"]
        modes(running, "")
        # The canary of the one that begins now may have been born before that.
        running.signal(signal.SIGHUP)
        assert running.await_log("reload.done", deadline_s=40.0)[0]["generation"] > 2
        until(lambda: min(row["generation"] for row in running.status()["workers"]) > 2, "all are new", 30.0)


def test_it_ends_by_itself_and_the_old_serve_on(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"reload_timeout_s": 0.5}')
    with master(tmp_path, TIMING, workers=3) as running:
        committed(running)
        assert "died outside a job" in running.await_log("reload.failed")[0]["error"]
        until(lambda: running.status()["reload"]["outcome"] == "failed", "the status says so")
        rows = running.status()["workers"]
        assert sum(row["state"] == "serving" for row in rows) >= 3
        # When they come after all, the old ones leave.
        modes(running, "")
        until(lambda: {row["generation"] for row in running.status()["workers"]} == {2}, "all are new", 30.0)

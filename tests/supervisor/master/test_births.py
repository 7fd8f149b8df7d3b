"""Workers are replaced: at once after a death in a job, else with pauses, whatever befalls the template."""

import itertools
import os
import signal
import time
from datetime import datetime
from pathlib import Path

from support.masters import MasterProcess, gone, living_children, master
from support.waiting import until


def test_a_death_inside_a_job_is_replaced_at_once_however_often(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        running.await_log("master.serving")
        sibling = running.worker(1)
        for number in (0, 2, 3, 4, 5, 6):
            pid = running.start_job(number)
            began = time.monotonic()
            os.kill(pid, signal.SIGSEGV)
            running.worker(max(number + 1, 2))
            # Were it counted, the sixth would wait 3.2 s.
            assert time.monotonic() - began < 1.5
        until(lambda: len(running.told()) == 6, "six deaths told")
        assert not gone(sibling), "its sibling has not noticed"


def test_deaths_outside_a_job_are_replaced_after_a_pause_that_doubles(tmp_path: Path) -> None:
    """The one place is filled by two slots in turn, as each is the other's reserve."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mode").write_text("exit-idle")
    with master(tmp_path, workers=1) as running:
        at = [_ms(line["at"]) for line in running.await_log("worker.ready", 6)]
        gaps = [later - sooner for sooner, later in itertools.pairwise(at)]
        assert all(gap >= least - 5 for gap, least in zip(gaps, (100, 100, 200, 200, 400), strict=False))
        assert all("outside a job" in line["told"] for line in running.log("worker.died"))


def _ms(at: str) -> float:
    return datetime.fromisoformat(at).timestamp() * 1000


def test_one_stands_by_untouched_and_is_called_when_another_dies(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        running.await_log("master.serving")
        until(lambda: "standby" in _states(running), "one stands by")
        waiting = next(line for line in running.status()["workers"] if line["state"] == "standby")
        os.kill(running.start_job(0), signal.SIGSEGV)
        assert running.worker(2) == waiting["pid"]
        until(
            lambda: sorted(_states(running)) == ["serving", "serving", "standby"],
            "the reserve is whole again",
        )


def test_a_reserve_that_dies_is_made_again_and_nobody_is_told_of_a_job(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        running.await_log("master.serving")
        until(lambda: "standby" in _states(running), "one stands by")
        (first,) = [line["pid"] for line in running.status()["workers"] if line["state"] == "standby"]
        os.kill(first, signal.SIGKILL)
        until(lambda: len(running.told()) == 1, "a death outside any job")
        assert running.told()[0]["running"] is None
        until(
            lambda: any(
                line["state"] == "standby" and line["pid"] != first for line in running.status()["workers"]
            ),
            "another stands by",
        )
        assert len(running.log("worker.ready")) == 2


def _states(running: MasterProcess) -> list[str]:
    return [line["state"] for line in running.status()["workers"]]


def test_one_that_hangs_at_its_birth_is_ended_at_its_deadline_and_replaced(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    mode = tmp_path / "run" / "mode-0"
    mode.write_text("hang-early")
    with master(tmp_path, {"birth_s": 0.5}) as running:
        running.worker(0)
        until(
            lambda: any("still" in line.get("error", "") for line in running.log("role.replaced")),
            "the hung one is ended",
        )
        mode.unlink()
        until(lambda: sorted(_states(running)) == ["serving", "serving", "standby"], "all are there")


def test_a_killed_template_takes_no_worker_with_it_and_is_replaced(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        running.await_log("master.serving")
        workers = [running.worker(0), running.worker(1)]
        os.kill(running.role_pid("template"), signal.SIGKILL)
        running.role_pid("template", 1)
        assert not any(gone(pid) for pid in workers)
        for number in (0, 2):  # the first is the reserve's affair, the second the new template's
            os.kill(running.start_job(number), signal.SIGKILL)
            running.worker(max(2, number + 1))


def test_a_spawn_that_a_dead_template_never_answered_is_asked_of_the_next(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        running.await_log("master.serving")
        until(lambda: "standby" in _states(running), "one stands by")
        template = running.role_pid("template")
        os.kill(template, signal.SIGSTOP)
        for number in (0, 1):
            os.kill(running.start_job(number), signal.SIGKILL)
        running.await_log("worker.died", 2)
        os.kill(template, signal.SIGKILL)
        running.worker(3)
        assert not running.log("worker.spawn_failed"), "it is nobody's failure"


def test_a_late_worker_finds_its_channel_closed_and_the_slot_keeps_one_worker(tmp_path: Path) -> None:
    """The template is frozen past the birth's deadline, then brings forth what nobody waits for any more."""
    with master(tmp_path, {"birth_s": 0.3}) as running:
        running.await_log("master.serving")
        until(lambda: "standby" in _states(running), "one stands by")
        template = running.role_pid("template")
        os.kill(template, signal.SIGSTOP)
        os.kill(running.start_job(0), signal.SIGKILL)
        running.await_log("worker.spawn_failed", 2)
        os.kill(template, signal.SIGCONT)
        until(lambda: _whole(running), "one worker a slot, and no other")


def _whole(running: MasterProcess) -> bool:
    lines = running.status()["workers"] + running.status()["roles"]
    return len(lines) == 6 and living_children(running) == {line["pid"] for line in lines}

"""Workers are replaced: at once after a death in a job, else with pauses, whatever befalls the template."""

import itertools
import os
import signal
import time
from datetime import datetime
from pathlib import Path

from support.masters import gone, living_children, master
from support.waiting import until


def test_a_death_inside_a_job_is_replaced_at_once_however_often(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        running.await_log("master.serving")
        for number in range(6):
            pid = running.start_job(0, number)
            began = time.monotonic()
            os.kill(pid, signal.SIGSEGV)
            running.worker_pid(0, number + 1)
            # Were it counted, the sixth would wait 3.2 s.
            assert time.monotonic() - began < 1.5
        until(lambda: len(running.told()) == 6, "six deaths told")
        assert {death["slot"] for death in running.told()} == {0}
        assert not gone(running.worker_pid(1)), "its sibling has not noticed"


def test_deaths_outside_a_job_pause_their_own_slot(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mode-0").write_text("exit-idle")
    with master(tmp_path) as running:
        running.await_log("worker.died", 4)
        at = [line["at"] for line in running.log("worker.ready") if line["slot"] == 0]
        gaps = [_ms(later) - _ms(sooner) for sooner, later in itertools.pairwise(at)]
        assert gaps[0] >= 95 and gaps[1] >= 190 and gaps[2] >= 380
        assert len([line for line in running.log("worker.ready") if line["slot"] == 1]) == 1


def _ms(at: str) -> float:
    return datetime.fromisoformat(at).timestamp() * 1000


def test_one_that_hangs_at_its_birth_is_ended_at_its_deadline_and_replaced(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    mode = tmp_path / "run" / "mode-0"
    mode.write_text("hang-early")
    with master(tmp_path, {"birth_s": 0.5}) as running:
        running.worker_pid(1)
        until(
            lambda: any("still" in line.get("error", "") for line in running.log("role.replaced")),
            "the hung one is ended",
        )
        mode.unlink()
        running.worker_pid(0)


def test_a_killed_template_takes_no_worker_with_it_and_is_replaced(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        running.await_log("master.serving")
        workers = [running.worker_pid(slot) for slot in (0, 1)]
        os.kill(running.role_pid("template"), signal.SIGKILL)
        running.role_pid("template", 1)
        assert not any(gone(pid) for pid in workers)
        os.kill(running.start_job(0), signal.SIGKILL)
        running.worker_pid(0, 1)


def test_a_spawn_that_a_dead_template_never_answered_is_asked_of_the_next(tmp_path: Path) -> None:
    with master(tmp_path) as running:
        running.await_log("master.serving")
        template = running.role_pid("template")
        os.kill(template, signal.SIGSTOP)
        os.kill(running.start_job(0), signal.SIGKILL)
        running.await_log("worker.died")
        os.kill(template, signal.SIGKILL)
        running.worker_pid(0, 1)
        assert len([line for line in running.log("worker.ready") if line["slot"] == 0]) == 2


def test_a_late_worker_finds_its_channel_closed_and_the_slot_keeps_one_worker(tmp_path: Path) -> None:
    """The template is frozen past the birth's deadline, then brings forth what nobody waits for any more."""
    with master(tmp_path, {"birth_s": 0.3}) as running:
        running.await_log("master.serving")
        template = running.role_pid("template")
        os.kill(template, signal.SIGSTOP)
        os.kill(running.start_job(0), signal.SIGKILL)
        running.await_log("worker.spawn_failed", 2)
        os.kill(template, signal.SIGCONT)
        workers = {running.worker_pid(1), running.worker_pid(0, 1)}
        roles = {running.role_pid(role) for role in ("template", "coordinator", "scheduler")}
        until(lambda: living_children(running) == workers | roles, "one worker a slot, and no other")

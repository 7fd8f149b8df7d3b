"""`ganger run` with nothing configured: the embedded servers and the jobs in them outlive everything."""

import os
import signal
from pathlib import Path

import pytest

from support.command import ganger, running
from support.waiting import until

APP = """
import time
from pathlib import Path
from ganger import job

@job
def slow(name):
    Path(name + ".began").touch()
    time.sleep(1)
    Path(name).touch()
"""


@pytest.mark.system
def test_a_killed_master_costs_no_job_and_ctrl_c_drains_before_the_servers_go(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)

    def push(name: str) -> None:
        done = ganger("push", "shop.slow", f'"{name}"', cwd=tmp_path)
        assert done.returncode == 0, done.stderr

    with running("run", "shop", "-w1", cwd=tmp_path) as master:
        until((tmp_path / ".ganger/embedded.json").exists, "the servers run", 20)
        push("first")
        push("second")
        until((tmp_path / "first.began").exists, "a job runs", 20)
        master.kill()

    with running("run", "shop", "-w1", cwd=tmp_path) as master:
        until(lambda: (tmp_path / "first").exists() and (tmp_path / "second").exists(), "both ran", 30)
        push("third")
        until((tmp_path / "third.began").exists, "a job runs", 20)
        # As a terminal does it: to every process of the group at once.
        os.killpg(master.pid, signal.SIGINT)
        _, said = master.communicate(timeout=30)
        assert master.returncode == 0
        assert "no Redis is configured: using embedded servers in .ganger" in said
    assert (tmp_path / "third").exists()
    assert not (tmp_path / ".ganger/embedded.json").exists()


def test_an_app_that_is_not_there_is_one_sentence_and_78(tmp_path: Path) -> None:
    done = ganger("run", "nowhere", "--embedded", "--log-format", "json", cwd=tmp_path)
    assert done.returncode == 78
    assert "Traceback" not in done.stderr
    assert "there is no module 'nowhere' to import" in done.stderr


def test_a_strict_order_without_queues_is_refused(tmp_path: Path) -> None:
    done = ganger("run", "nowhere", "--embedded", "--strict", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (78, 1)
    assert "needs the queues in their order" in done.stderr

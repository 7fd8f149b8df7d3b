"""`ganger run` with nothing configured: the embedded servers and the jobs in them outlive everything."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from support.command import document, ganger, running
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


def serving(cwd: Path, master: subprocess.Popen[str]) -> bool:
    assert master.poll() is None, master.stderr and master.stderr.read()
    try:
        return bool(document("status", cwd=cwd)["local"]["state"] == "serving")
    except (AssertionError, TypeError, KeyError):
        return False


@pytest.mark.system
def test_ctrl_c_drains_before_the_servers_go_and_a_killed_master_costs_no_job(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    with running("run", "shop", "-w1", cwd=tmp_path) as master:
        until((tmp_path / ".ganger/embedded.json").exists, "the servers run", 20)
        assert ganger("push", "shop.slow", '"first"', cwd=tmp_path).returncode == 0
        until((tmp_path / "first.began").exists, "the job runs", 20)
        # As a terminal does it: to every process of the group at once.
        os.killpg(master.pid, signal.SIGINT)
        _, said = master.communicate(timeout=30)
        assert master.returncode == 0
        assert "no Redis is configured: using embedded servers in .ganger" in said
    assert (tmp_path / "first").exists()
    assert not (tmp_path / ".ganger/embedded.json").exists()

    with running("run", "shop", "-w1", "--embedded", cwd=tmp_path) as master:
        until(lambda: serving(tmp_path, master), "it serves", 20)
        for name in ("second", "third"):
            assert ganger("push", "shop.slow", f'"{name}"', cwd=tmp_path).returncode == 0
        until((tmp_path / "second.began").exists, "the job runs", 20)
        master.kill()

    with running("run", "shop", "-w1", "--embedded", cwd=tmp_path):
        until(lambda: (tmp_path / "second").exists() and (tmp_path / "third").exists(), "both ran", 30)


def test_an_app_that_is_not_there_is_one_sentence_and_78(tmp_path: Path) -> None:
    done = ganger("run", "nowhere", "--embedded", "--log-format", "json", cwd=tmp_path)
    assert done.returncode == 78
    assert "Traceback" not in done.stderr
    assert "there is no module 'nowhere' to import" in done.stderr

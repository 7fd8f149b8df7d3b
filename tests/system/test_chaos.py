"""A short chaos run: all sorts of faults, more often than in a long one, and every job accounted for."""

import os
from pathlib import Path

import pytest

from chaos.run import Plan, run
from support.command import ganger

SEED = int(os.environ.get("GANGER_TEST_CHAOS_SEED", "6"))


@pytest.mark.timeout(300)
def test_under_fire_nothing_is_lost_and_nothing_runs_twice_without_a_reason(tmp_path: Path) -> None:
    report = run(Plan(SEED, minutes=0.6, per_s=300, pace=3.0), tmp_path / "chaos")
    print(report.document())
    assert report.violations == []
    assert report.sorts["acknowledged"] > 1000
    assert sum(report.strikes.values()) > 10
    assert report.sorts["lost"] == 0 and "unexplained" not in report.duplicates


def test_the_command_refuses_a_directory_that_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    done = ganger("chaos", "--keep", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"ganger: {tmp_path} is not empty: name a new directory for --keep.\n"

"""A short chaos run: all sorts of faults, more often than in a long one, and every job accounted for."""

import json
import os
from pathlib import Path

import pytest

from chaos.run import MODULES
from gangerd.cli import chaos
from gangerd.cli.chaos import SORTS, TESTS
from gangerd.errors import NoCheckout
from support.command import ganger

SEED = os.environ.get("GANGER_TEST_CHAOS_SEED", "6")


@pytest.mark.timeout(480)
def test_under_fire_nothing_is_lost_and_nothing_runs_twice_without_a_reason(tmp_path: Path) -> None:
    kept = tmp_path / "chaos"
    words = ["--minutes", "2.2", "--rate", "300", "--pace", "2", "--seed", SEED, "--json"]
    done = ganger("chaos", *words, "--keep", str(kept), cwd=tmp_path, timeout_s=450)
    report = json.loads(done.stdout)
    print(done.stderr, report)
    assert report["violations"] == []
    sorts = report["sorts"]
    assert sorts["acknowledged"] > 1000
    assert sorts["pushed"] == sum(sorts.get(heard, 0) for heard in ("acknowledged", "unknown", "refused"))
    assert sum(report["strikes"].values()) > 10
    assert report["sorts"]["lost"] == 0 and "unexplained" not in report["duplicates"]
    assert done.returncode == 0
    again = ganger("chaos", "--judge", str(kept), "--json", cwd=tmp_path)
    assert json.loads(again.stdout) == report | {"judged_again": True} and again.returncode == 0


def test_the_command_refuses_a_directory_that_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    done = ganger("chaos", "--keep", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"ganger: {tmp_path} is not empty: name a new directory for --keep.\n"


def test_the_command_refuses_a_server_that_is_not_here(tmp_path: Path) -> None:
    done = ganger("chaos", "--server", "redis", cwd=tmp_path, env={"PATH": str(tmp_path)})
    assert done.returncode == 78
    assert done.stderr == (
        "ganger: There is no redis-server 7.0 or newer on PATH: install one, or take --server valkey.\n"
    )


@pytest.mark.parametrize("words", [("--minutes", "inf"), ("--rate", "inf"), ("--pace", "nan")])
def test_the_command_refuses_what_is_not_a_number(tmp_path: Path, words: tuple[str, str]) -> None:
    done = ganger("chaos", *words, cwd=tmp_path)
    assert done.returncode == 2 and words[0] in done.stderr and "Traceback" not in done.stderr


def test_the_command_refuses_a_directory_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = ganger("chaos", "--keep", str(tmp_path / "file/below"), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"ganger: {tmp_path}/file/below can't hold what --keep keeps: Not a directory.\n"


def test_what_was_broken_off_is_not_judged(tmp_path: Path) -> None:
    done = ganger("chaos", "--judge", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"ganger: {tmp_path} does not hold a run that came to its end: name what")


def test_what_is_damaged_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "last").write_text('{"last": ')
    done = ganger("chaos", "--judge", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"ganger: {tmp_path}/last is damaged, so this run can't be judged: it holds"
    )
    assert done.stderr.count("\n") == 1


def test_who_judges_runs_nothing(tmp_path: Path) -> None:
    done = ganger("chaos", "--judge", str(tmp_path), "--seed", "3", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "ganger: --judge runs nothing, so --seed says nothing: leave it out.\n",
    )


def test_without_a_checkout_the_command_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chaos, "TESTS", tmp_path)
    with pytest.raises(NoCheckout, match="needs a checkout"):
        chaos.harness()


def test_the_command_refuses_sorts_of_faults_that_there_are_not(tmp_path: Path) -> None:
    done = ganger("chaos", "--only", "slots,clock", cwd=tmp_path)
    assert done.returncode == 2
    assert "'slots,clock' is not one of 'processes', 'failover'" in done.stderr
    assert set(SORTS) == {path.stem for path in (TESTS / "chaos/nemeses").glob("*.py")} == set(MODULES)

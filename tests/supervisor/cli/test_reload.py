"""`ganger reload` finds the master of a directory, asks it, follows it, and says how it ended."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gangerd.cli.running import working_directory
from support.command import ganger
from support.masters import MasterProcess, master


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MasterProcess]:
    with master(tmp_path_factory.mktemp("reload"), {"canary_idle_s": 0.1}) as started:
        started.await_log("worker.ready", 2)
        yield started


def reload(root: Path, *words: str) -> tuple[int, str, str]:
    done = ganger("reload", "--dir", str(root), *words, cwd=root, timeout_s=60)
    return done.returncode, done.stdout, done.stderr


def document(root: Path, *words: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = reload(root, "--json", *words)
    found: dict[str, Any] = json.loads(out)
    return code, found


def test_with_wait_it_tells_how_far_it_is_and_that_it_is_done(running: MasterProcess) -> None:
    code, out, err = reload(running.root, "--wait")
    assert code == 0 and "generation 2 serves, after" in out
    assert "generation 2: " in err or not err  # it may be over before anyone has looked
    code, found = document(running.root, "--wait")
    assert code == 0 and (found["outcome"], found["generation"], found["error"]) == ("done", 3, "")
    assert found["pid"] == running.process.pid and found["in_older_generations"] == 0


def test_a_reload_that_fails_is_exit_1_and_one_sentence(running: MasterProcess) -> None:
    settings = running.root / "settings.json"
    settings.write_text('{"namespace": "other"}')
    before = running.status()["generation"]
    code, out, err = reload(running.root, "--wait")
    (line,) = [line for line in err.splitlines() if line.startswith("ganger:")]
    assert code == 1 and not out
    assert f"generation {before} serves on" in line and "namespace" in line and "restart" in line
    code, found = document(running.root, "--wait")
    assert code == 1 and found["outcome"] == "failed" and "namespace" in found["error"]
    shown = ganger("status", "--dir", str(running.root), cwd=running.root).stdout
    assert "reload: failed" in shown and "namespace is another one now" in shown
    settings.unlink()


def test_without_wait_it_asks_and_is_gone(running: MasterProcess) -> None:
    count = len(running.log("reload.done"))
    code, found = document(running.root)
    assert (code, found) == (0, {"pid": running.process.pid, "outcome": "asked"})
    running.await_log("reload.done", count + 1)


def test_no_master_and_one_that_is_gone_are_told_apart(running: MasterProcess, tmp_path: Path) -> None:
    code, _, err = reload(tmp_path)
    assert code == 1 and "no master has left a report" in err
    # What a killed master leaves; its number may be anybody's by now.
    (tmp_path / "run").mkdir()
    report = running.status() | {"incarnation": "0" * 16}
    (tmp_path / "run" / "status.json").write_text(json.dumps(report))
    code, _, err = reload(tmp_path)
    assert code == 1 and "is gone" in err and not running.ended()


def test_the_directory_keeps_the_name_that_the_shell_had_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "release-1").mkdir()
    (tmp_path / "current").symlink_to("release-1")
    monkeypatch.chdir(tmp_path / "current")
    monkeypatch.setenv("PWD", str(tmp_path / "current"))
    assert working_directory() == tmp_path / "current"
    for stale in (str(tmp_path), "current", "", "/no/such/place"):
        monkeypatch.setenv("PWD", stale)
        assert working_directory() == tmp_path / "release-1"

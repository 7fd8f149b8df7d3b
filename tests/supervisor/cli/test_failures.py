"""How the commands fail: one sentence on stderr, the right exit code, never a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.command import GANGER, ganger
from support.servers import ClusterServers, Standalone, free_port

LOOKING = (
    ("status",),
    ("queues",),
    ("workers",),
    ("crashes",),
    ("job", "show", "0" * 29),
    ("dead", "list"),
    ("dead", "retry", "--all"),
    ("push", "a.b"),
)


@pytest.fixture
def sentence(tmp_path: Path):  # type: ignore[no-untyped-def]
    def run(*words: str, env: dict[str, str] | None = None, code: int) -> str:
        done = ganger(*words, cwd=tmp_path, env=env)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        return done.stderr

    return run


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_nothing_configured(sentence, words) -> None:  # type: ignore[no-untyped-def]
    said = sentence(*words, code=78)
    assert said.startswith("ganger: No Redis is configured: set GANGER_REDIS=")
    assert said.count("\n") == 1


def test_redis_is_not_there(sentence) -> None:  # type: ignore[no-untyped-def]
    env = {"GANGER_REDIS": f"redis://:hush@127.0.0.1:{free_port()}"}
    said = sentence("queues", env=env, code=1)
    assert said.count("\n") == 1
    assert "hush" not in said


def test_a_server_without_cluster_mode(sentence) -> None:  # type: ignore[no-untyped-def]
    with Standalone() as server:
        said = sentence("queues", env={"GANGER_REDIS": server.url}, code=78)
    assert "cluster" in said
    assert said.count("\n") == 1


def test_the_wrong_password(sentence, one_cluster: ClusterServers) -> None:  # type: ignore[no-untyped-def]
    url = one_cluster.url.replace("open sesame", "hush")
    said = sentence("queues", env={"GANGER_REDIS": url}, code=78)
    assert said.count("\n") == 1
    assert "hush" not in said


def test_a_bad_file_shows_every_mistake(sentence, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "ganger.toml").write_text("wrokers = 1\nlease_ms = 1\n")
    said = sentence("run", "app", code=78)
    assert said == (
        "ganger: ganger.toml line 1: there is no setting 'wrokers': did you mean 'workers'?\n"
        "ganger: ganger.toml line 2: lease_ms must be a whole number from 1,000 to 3,600,000, not 1\n"
    )


def test_flags_are_named_as_they_are_given(sentence) -> None:  # type: ignore[no-untyped-def]
    said = sentence("run", "./app.py", "-q", "mail:0", "-w", "0", code=78)
    assert [line.partition(":")[2].partition(":")[0] for line in said.splitlines()] == [
        " the argument APP",
        " -q",
        " --workers",
    ]


@pytest.mark.parametrize("closed", ["stdin", "stdout", "stderr", "stdin stdout stderr"])
def test_a_closed_standard_file_leads_to_nowhere(closed: str, tmp_path: Path) -> None:
    """Nothing printed may end in a file that got the number of a closed one, and nothing breaks."""
    signs = " ".join({"stdin": "<&-", "stdout": ">&-", "stderr": "2>&-"}[name] for name in closed.split())
    probe = (
        "import os, sys; from gangerd.cli.entry import open_standard_files; open_standard_files();"
        "assert os.open(os.devnull, os.O_RDONLY) > 2; print('out'); print('err', file=sys.stderr)"
    )
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {signs}', sys.executable, probe],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("" if "stdout" in closed else "out\n")
    assert done.stderr == ("" if "stderr" in closed else "err\n")


def test_a_place_that_cannot_be_written(sentence, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("")
    said = sentence("embedded", "--dir", "file/below", code=1)
    assert said == f"ganger: {tmp_path}/file/below/servers: Not a directory\n"


def test_wrong_usage_is_2(sentence) -> None:  # type: ignore[no-untyped-def]
    assert "No such command" in sentence("frobnicate", code=2)
    assert "which app?" in sentence("run", code=2)
    assert "which ones?" in sentence("dead", "delete", code=2)
    assert "argument 1 is no JSON" in sentence("push", "a.b", "hello", code=2)


def test_ctrl_c_while_it_is_still_being_imported_is_no_traceback(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'click': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from gangerd.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_systemd_must_ask_for_the_embedded_servers(sentence) -> None:  # type: ignore[no-untyped-def]
    said = sentence("run", "app", env={"INVOCATION_ID": "1"}, code=78)
    assert "must be asked for by name" in said


def test_status_shows_what_the_master_wrote_when_redis_is_gone(tmp_path: Path) -> None:
    run_dir = tmp_path / ".ganger/run"
    run_dir.mkdir(parents=True)
    (run_dir / "status.json").write_text(
        '{"at_ms": 1, "pid": 4194305, "state": "serving", "fence": "rss", "workers": [{"state": "ready"}],'
        ' "roles": [{"role": "coordinator", "state": "ready", "detail": ""}],'
        ' "last_errors": {"template": "no module named shop"},'
        ' "reload": {"phase": "resting", "asks": 1, "outcome": "failed", "generation": 2, "at_ms": 1,'
        ' "error": "no"}}'
    )
    env = {"GANGER_REDIS": f"redis://127.0.0.1:{free_port()}"}
    done = ganger("status", cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert "Redis can't be reached" in done.stderr
    assert "no module named shop" in done.stdout
    assert "  reload: failed, generation 2, " in done.stdout
    assert "pid 4194305 (that process is gone)" in done.stdout
    as_json = ganger("status", "--json", cwd=tmp_path, env=env)
    assert as_json.returncode == 1
    assert '"pid": 4194305' in as_json.stdout


def test_a_reader_that_has_seen_enough_is_no_failure_to_talk_of(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"{GANGER} --help | head -1"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr == ""

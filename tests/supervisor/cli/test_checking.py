"""`ganger check` of apps whose import ends the process, and of a name that is none."""

import os
import signal
from pathlib import Path

import pytest

from support.command import ganger


@pytest.mark.parametrize(
    ("source", "end"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "SIGSEGV"),
        ("import os\nos._exit(3)\n", "exit code 3 (os._exit?)"),
        ("import os\nos._exit(0)\n", "exit code 0 (os._exit?)"),
    ],
)
def test_an_import_that_ends_its_process_is_told(tmp_path: Path, source: str, end: str) -> None:
    (tmp_path / "deadly.py").write_text(source)
    done = ganger("check", "deadly", cwd=tmp_path)
    said = f"ganger: importing 'deadly' ended its process: {end}\n"
    assert (done.returncode, done.stdout, done.stderr) == (78, "", said)


def test_a_process_that_the_import_leaves_behind_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "forking.py").write_text(
        "import os, signal\nfrom ganger import job\n\n@job\ndef send() -> None: ...\n\n"
        "if left := os.fork():\n    open('left', 'w').write(str(left))\n"
        "else:\n    os.closerange(0, 3)\n    signal.pause()\n"
    )
    try:
        done = ganger("check", "forking", cwd=tmp_path)
    finally:
        os.kill(int((tmp_path / "left").read_text()), signal.SIGKILL)
    assert (done.returncode, done.stdout) == (0, "forking: 1 job type in 1 queue.\n"), done.stderr


def test_a_path_is_one_mistake(tmp_path: Path) -> None:
    done = ganger("check", "shop/tasks.py", cwd=tmp_path)
    assert done.returncode == 78
    assert done.stderr.count("\n") == 1 and "must be the name of a module" in done.stderr, done.stderr


def test_limits_that_limit_nothing_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "from ganger import job\n\n@job(queue='mail')\ndef send(to: str, *, tenant: str = '') -> None: ...\n"
    )
    tables = {
        "good": "queue = 'mail'\nlimit_key = 'args.tenant'",
        "first": "type = 'shop.send'\nlimit_key = 'args.0'",
        "lost": "queue = 'mial'",
        "slip": "type = 'shop.sned'",
        "other": "type = 'shop.send'\nlimit_key = 'args.tennant.id'",
    }
    warnings = {
        "lost": "limits.lost is on queue mial, and shop has no such job: is the name right?",
        "slip": "limits.slip is on job type shop.sned, and shop has no such job: is the name right?",
        "other": "limits.other is by args.tennant.id, but no job that it limits has an argument 'tennant':"
        " all share one key.",
    }
    for name, table in tables.items():
        (tmp_path / "ganger.toml").write_text(f"[limits.{name}]\n{table}\nconcurrency = 1\n")
        done = ganger("check", "shop", cwd=tmp_path)
        said = f"ganger: warning: {warnings[name]}\n" if name in warnings else ""
        assert (done.returncode, done.stderr) == (0, said)

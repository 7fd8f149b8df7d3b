"""The pytest plugin: an application's tests, run by a pytest of their own, as an application would."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from support.sources import ROOT

APP = """
from ganger import Client, current, job

ran = []

@job(name="shop.send", queue="mail")
def send(to: str) -> None:
    ran.append((to, current().jid))
"""


def run(directory: Path, text: str, *, expect: int = 0, **env: str) -> str:
    """What that pytest says."""
    (directory / "shop.py").write_text(APP)
    (directory / "test_shop.py").write_text(f"import pytest\nfrom shop import *\n{text}")
    named = {key: value for key, value in os.environ.items() if not key.startswith(("GANGER_", "PYTEST_"))}
    # By name, and not by the entry point: that of an editable install is as old as the install.
    words = [sys.executable, "-m", "pytest", "-p", "no:ganger", "-p", "gangerd.pytest_plugin", "-rs", "-q"]
    done = subprocess.run(
        [*words, "-p", "no:cacheprovider", "test_shop.py"],
        cwd=directory,
        env={**named, "PYTHONPATH": str(directory), **env},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout


def test_pytest_finds_it_by_itself() -> None:
    (found,) = [one for one in entry_points(group="pytest11") if one.name == "ganger"]
    assert found.value == "gangerd.pytest_plugin"
    assert f'{found.name} = "{found.value}"' in (ROOT / "pyproject.toml").read_text()


def test_loading_it_costs_nothing() -> None:
    """Neither redis nor any other part of ganger, in the test runs of people who don't use it today."""
    code = "import sys, pytest; before = set(sys.modules); import gangerd.pytest_plugin"
    code += "; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["gangerd", "gangerd.pytest_plugin"]


def test_the_modes_are_fixtures(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
def test_inline(ganger_inline):
    jid = send.push("a")
    assert ran == [("a", jid)]

def test_recording(ganger_recording):
    send.options(delay=5).push("b")
    assert [(one.type, one.args) for one in ganger_recording.pushed] == [("shop.send", ["b"])]

def test_neither():
    from ganger.errors import NotConfigured
    with pytest.raises(NotConfigured):
        send.push("c")
""",
    )


def test_a_real_server_is_a_fixture_and_empty_for_each_test(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
import os
from ganger import inspect
from ganger.client import known_default_client
from ganger.keys import Control

@pytest.mark.parametrize("number", range(3))
def test_push(ganger_server, number):
    for client in (ganger_server.client, Client()):
        client.push("shop.send", ["a"])
    jid = send.push("b")
    assert ran == []
    cluster = ganger_server.client.cluster
    assert inspect.job(cluster, Control("ganger"), jid)["state"] == "ready"
    assert inspect.queues(cluster, Control("ganger"))["mail"]["ready"] == 3
    assert os.environ["GANGER_REDIS"] == ganger_server.url

def test_after():
    assert known_default_client() is None and "GANGER_REDIS" not in os.environ
""",
    )


def test_without_a_server_program_its_tests_are_skipped_and_say_why(tmp_path: Path) -> None:
    said = run(
        tmp_path, "def test_push(ganger_server): ...", GANGER_SERVER_BINARY=str(tmp_path / "no-such-server")
    )
    assert "1 skipped" in said and "no-such-server" in said

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
from ganger import inspect, rate_limit, semaphore
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
    with semaphore("api", 1, wait=0):
        rate_limit("api", "1/h").take()

def test_after():
    assert known_default_client() is None and "GANGER_REDIS" not in os.environ
""",
    )


def test_what_is_queued_can_be_performed_in_the_test(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
import asyncio
from ganger import Batch, inspect
from ganger.keys import Control
from ganger.testing import EndlessDrain

@job(name="shop.slow", queue="slow")
async def slow(count: int) -> None:
    await asyncio.sleep(0)
    ran.append(current().attempt)
    if count:
        await slow.apush(count - 1)

@job(name="shop.fail", retry=1, backoff=0, dead=True)
def fail() -> None:
    raise LookupError("no such mailbox")

@job(name="shop.again")
def again() -> None:
    again.push()

def test_performed(ganger_server):
    jids = send.push_many([(name,) for name in "abc"])
    slow.push(2)
    send.options(delay=60).push("later")
    runs = ganger_server.perform_all()
    assert sorted(run.type for run in runs) == ["shop.send"] * 3 + ["shop.slow"] * 3
    assert {run.jid for run in runs if run.type == "shop.send"} == set(jids)
    assert [run.error for run in runs] == [None] * 6
    status = inspect.status(ganger_server.client.cluster, Control("ganger"))
    assert status["totals"]["succeeded"] == 6
    assert status["queues"]["mail"]["later"] == 1
    assert ganger_server.perform_all() == []

def test_failed(ganger_server):
    jid = fail.push()
    first, second = ganger_server.perform_all()
    assert isinstance(first.error, LookupError)
    assert (first.attempt, second.attempt) == (1, 2)
    found = inspect.job(ganger_server.client.cluster, Control("ganger"), jid)
    assert found["state"] == "dead" and found["failures"][1]["error"] == "LookupError"

def test_endless(ganger_server):
    again.push()
    with pytest.raises(EndlessDrain):
        ganger_server.perform_all(most=3)

def test_batch(ganger_server):
    with Batch(success=(send, "all done")) as batch:
        batch.push_many(send, [("a",), ("b",)])
    assert len(ganger_server.perform_all()) == 3
    assert ran[-1][0] == "all done"
    assert batch.status().state == "success"

def test_coroutine(ganger_server):
    from gangerd.errors import BlockingInLoop

    async def main():
        await slow.apush(1)
        with pytest.raises(BlockingInLoop):
            ganger_server.perform_all()
        return await asyncio.to_thread(ganger_server.perform_all)

    assert len(asyncio.run(main())) == 2
""",
    )


def test_without_a_server_program_its_tests_are_skipped_and_say_why(tmp_path: Path) -> None:
    said = run(
        tmp_path, "def test_push(ganger_server): ...", GANGER_SERVER_BINARY=str(tmp_path / "no-such-server")
    )
    assert "1 skipped" in said and "no-such-server" in said

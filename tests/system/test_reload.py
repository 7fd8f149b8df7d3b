"""New code comes in under load: no job is lost or run twice, no place is empty; what is no good stays out.

GANGER_TEST_RELOADS=20 has the first test reload so often, with an app of 100 MB, and print what it saw."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.checker import counters_balance, ran_exactly_once
from support.command import GANGER, environment
from support.gang import Gang
from support.incident_app import QUEUE
from support.places import Places
from support.scene import Scene
from support.waiting import until

RELOADS = int(os.environ.get("GANGER_TEST_RELOADS", "0"))
APP = """
import pathlib, time
from ganger import current, job
from support.journal import note, noted
VERSION = {version}
WEIGHT = bytes(range(1, 256)) * ({weight} // 255)

@job(name="live.work", queue="incidents")
def work(work_ms):
    now = current()
    with noted(now.jid, now.attempt, f"v{{VERSION}}"):
        time.sleep(work_ms / 1000)

@job(name="live.gate", queue="incidents")
def gate(path):
    now = current()
    with noted(now.jid, now.attempt, f"v{{VERSION}}"):
        while not pathlib.Path(path).exists():
            time.sleep(0.01)
"""


@pytest.fixture(autouse=True)
def _no_bytecode(scene: Scene) -> None:
    """Two versions of one size within a second are one to the interpreter's cache."""
    scene.env["PYTHONDONTWRITEBYTECODE"] = "1"


def deploy(root: Path, version: int, weight: int = 0, text: str = "") -> None:
    root.mkdir(exist_ok=True)
    (root / "live_app.py").write_text(APP.format(version=version, weight=weight) + text)


def push(scene: Scene, kind: str, calls: list[list[Any]]) -> list[str]:
    """By name, and perhaps before the host has said what it serves."""
    return scene.client.push_many(kind, calls, queue=QUEUE)


def reload(scene: Scene, gang: Gang, meanwhile: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """What `ganger reload --wait --json` says in the host's directory; with its exit code, `code`."""
    command = subprocess.Popen(
        [str(GANGER), "reload", "--wait", "--json"],
        cwd=gang.root,
        env=environment(scene.env),
        stdout=subprocess.PIPE,
        text=True,
    )
    while command.poll() is None:
        meanwhile()
        time.sleep(0.05)
    said: dict[str, Any] = json.loads(command.communicate()[0])
    return {**said, "code": command.returncode}


def kinds(scene: Scene) -> set[str]:
    return {line["kind"] for line in scene.journal.lines() if line["what"] == "begin"}


def test_new_code_comes_in_under_load_and_no_job_and_no_place_is_missing(scene: Scene) -> None:
    times, weight = max(RELOADS, 1), (100 << 20) if RELOADS else 0
    deploy(scene.root / "host", 1, weight)
    gang = scene.gang(workers=3, app="live_app")
    jids: list[str] = []

    def feed() -> None:
        if scene.waiting() < 300:
            jids.extend(push(scene, "live.work", [[2]] * 300))

    took = []
    with Places(gang.root / ".ganger/run", all_there=3) as places:
        for version in range(2, times + 2):
            feed()
            deploy(gang.root, version, weight)
            said = reload(scene, gang, feed)
            assert (said["code"], said["outcome"], said["generation"]) == (0, "done", version), said
            took.append(said["took_ms"])
    jids += push(scene, "live.work", [[2]] * 10)
    scene.await_all_done(within_s=120.0)
    ran_exactly_once(scene, jids)
    counters_balance(scene)
    assert places.fewest >= 3 and places.looks > 100
    assert {"v1", f"v{times + 1}"} <= kinds(scene)
    assert not gang.log("worker.died") and not scene.crashes()
    assert {row["generation"] for row in gang.status()["workers"]} == {times + 1}
    if RELOADS:
        print(f"{RELOADS} reloads: {len(jids)} jobs, took_ms {took}, fewest places {places.fewest} of 3")


def test_a_broken_app_stays_outside_and_a_long_job_ends_where_it_began(scene: Scene) -> None:
    deploy(scene.root / "host", 1)
    gang = scene.gang(workers=2, app="live_app", settings={"reload_timeout": 600})
    opened = scene.root / "opened"
    (long,) = push(scene, "live.gate", [[str(opened)]])
    scene.await_begin(long)
    deploy(gang.root, 2, text="raise RuntimeError('half a deploy')")
    said = reload(scene, gang)
    assert said["code"] == 1 and "half a deploy" in said["error"] and "live_app.py" in said["error"]
    shown = scene.command("status", "--json", "--dir", str(gang.root / ".ganger"))["local"]
    assert shown["generation"] == 1 and shown["reload"]["error"] == said["error"]
    (short,) = push(scene, "live.work", [[1]])
    scene.await_end(short)
    assert kinds(scene) == {"v1"}
    deploy(gang.root, 3)
    began = time.monotonic()
    gang.signal(signal.SIGHUP)
    gang.await_log("reload.committed")
    until(lambda: "v3" in _kinds_of(scene, push(scene, "live.work", [[1]])[0]), "new code beside it")
    assert time.monotonic() - began < 60 and scene.journal.ended(long) == 0
    opened.touch()
    scene.await_end(long)
    gang.await_log("reload.done")
    scene.await_all_done()
    assert _kinds_of(scene, long) == {"v1"} and scene.journal.begun(long) == 1
    assert not gang.log("worker.died") and gang.drain() == 0


def _kinds_of(scene: Scene, jid: str) -> set[str]:
    scene.await_end(jid)
    return {line["kind"] for line in scene.journal.lines() if line["jid"] == jid}

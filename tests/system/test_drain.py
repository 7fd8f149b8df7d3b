"""The ways to end a host in order: TERM, TERM twice, Ctrl-C; and what each leaves in the queues."""

import os
import signal
from typing import Any

from support import incident_app as app
from support.checker import counters_balance, ran_exactly_once
from support.gang import Gang, alive
from support.scene import Scene
from support.waiting import until


def _job(scene: Scene, jid: str) -> dict[str, Any]:
    found = scene.job(jid)
    assert found is not None
    return found


def _all_gone(gang: Gang, pids: list[int]) -> None:
    assert not [pid for pid in pids if alive(pid)]


def test_term_lets_the_running_job_finish_and_gives_the_unstarted_back(every_scene: Scene) -> None:
    scene = every_scene
    gang = scene.gang(workers=1)
    gate, pids = scene.root / "gate", gang.pids()
    running = scene.push(app.first_at_gate, str(gate), 0)
    scene.await_begin(running)
    waiting = scene.push_healthy(30)
    gang.signal(signal.SIGTERM)
    gang.await_log("master.draining")
    gate.touch()
    assert gang.wait() == 0
    _all_gone(gang, pids)
    assert scene.journal.ended(running) == 1 and scene.job(running) is None
    assert all(scene.journal.begun(jid) == 0 for jid in waiting)
    assert scene.status()["queues"][app.QUEUE]["ready"] == 30
    assert {_job(scene, jid)["attempt"] for jid in waiting[:5]} == {1}
    gang.start()
    scene.await_all_done()
    ran_exactly_once(scene, [running, *waiting])
    counters_balance(scene)
    assert scene.crashes() == [] and scene.totals()["failed"] == 0


def test_a_batch_in_hand_goes_back_at_second_zero_of_the_drain(scene: Scene) -> None:
    gang = scene.gang(workers=1)
    opened, closed = scene.root / "opened", scene.root / "closed"
    opened.touch()
    # So that its kind is known to be quick, and a claim brings many.
    for jid in scene.push_many(app.at_gate, [(str(opened),)] * 30):
        scene.await_end(jid)
    batch = scene.push_many(app.at_gate, [(str(closed),), *[(str(opened),)] * 20])
    scene.await_begin(batch[0])
    gang.signal(signal.SIGTERM)
    until(lambda: scene.status()["queues"][app.QUEUE]["ready"] == 20, "20 jobs back in the queue")
    assert alive(gang.process.pid)
    closed.touch()
    assert gang.wait() == 0
    assert {_job(scene, jid)["attempt"] for jid in batch[1:6]} == {1}
    gang.start()
    scene.await_all_done()
    ran_exactly_once(scene, batch)


def test_a_job_longer_than_shutdown_timeout_is_ended_and_released_without_an_attempt(scene: Scene) -> None:
    gang = scene.gang(workers=2, settings={"shutdown_timeout": 0.5})
    pids = gang.pids()
    gate = str(scene.root / "never")
    python, c = scene.push(app.first_at_gate, gate, 0), scene.push(app.hangs_for_long_in_c)
    for jid in (python, c):
        scene.await_begin(jid)
    assert gang.drain() == 0
    _all_gone(gang, pids)
    for jid in (python, c):
        shown = _job(scene, jid)
        assert (shown["state"], shown["attempt"], shown["released"]) == ("ready", 1, 1)
        assert (shown["crashes"], shown["lost"], shown["failures"]) == (0, 0, [])
    assert scene.crashes() == [] and scene.totals()["released"] == 2


def test_a_second_term_goes_to_the_end_at_once(scene: Scene) -> None:
    gang = scene.gang(workers=2, settings={"shutdown_timeout": 600})
    jid = scene.push(app.first_at_gate, str(scene.root / "never"), 0)
    scene.await_begin(jid)
    gang.signal(signal.SIGTERM)
    gang.await_log("master.draining")
    gang.signal(signal.SIGTERM)
    assert gang.wait(15) == 0
    shown = _job(scene, jid)
    assert (shown["state"], shown["attempt"], shown["released"]) == ("ready", 1, 1)


def test_ctrl_c_to_the_whole_group_drains_and_no_job_sees_it(scene: Scene) -> None:
    gang = scene.gang(workers=2)
    gate = scene.root / "gate"
    jid = scene.push(app.first_at_gate, str(gate), 0)
    scene.await_begin(jid)
    os.killpg(gang.process.pid, signal.SIGINT)
    gang.await_log("master.draining")
    gate.touch()
    assert gang.wait() == 0
    runs = scene.journal.runs()[jid]
    assert (len(runs.begun), len(runs.ended), runs.raised) == (1, 1, [])
    assert scene.job(jid) is None and scene.totals()["succeeded"] == 1


def test_what_killed_its_worker_during_a_drain_is_settled_before_the_host_is_gone(scene: Scene) -> None:
    gang = scene.gang(workers=1)
    gate = scene.root / "gate"
    jid = scene.push(app.dies_behind_gate, str(gate))
    scene.await_begin(jid)
    gang.signal(signal.SIGTERM)
    gang.await_log("master.draining")
    gate.touch()
    assert gang.wait() == 0
    (crash,) = scene.crashes(jid)
    assert crash["cause"] == "segfault"
    assert (_job(scene, jid)["state"], _job(scene, jid)["attempt"]) == ("retrying", 2)

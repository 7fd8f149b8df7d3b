"""Replayable queues with real workers: what ended runs again, once each, and what is in flight is left
alone."""

from support import incident_app as app
from support.checker import counters_balance
from support.scene import Scene


def test_a_rewind_runs_again_what_ended_and_nothing_else(scene: Scene) -> None:
    scene.gang(workers=2)
    scene.await_end(scene.push(app.healthy, 0))
    assert scene.command("queue", "retain", app.QUEUE, "--age", "7d")["missing"] == {}
    good = scene.push_healthy(40)
    fails = scene.push(app.raises)
    scene.await_all_done()
    gate = scene.root / "gate"
    in_flight = scene.push(app.at_gate, str(gate))
    scene.await_begin(in_flight)

    plan = scene.command("queue", "rewind", app.QUEUE, "--to", "1h ago", "--dry-run")
    assert plan["count"] == 41, "one ended before the queue retained, one is in flight"
    run = scene.command("queue", "rewind", app.QUEUE, "--to", "1h ago", "--yes")
    assert (run["state"], run["moved"]) == ("finished", 41)
    gate.touch()
    scene.await_all_done()
    runs = scene.journal.runs()
    assert {len(runs[jid].begun) for jid in good} == {2}
    assert {attempt for jid in good for attempt, _, _ in runs[jid].begun} == {1}
    assert [attempt for attempt, _, _ in runs[fails].begun] == [1, 2, 1, 2], "its attempts count anew"
    assert len(runs[in_flight].begun) == 1
    counters_balance(scene)
    seen = scene.command("job", "show", good[0])
    assert (seen["state"], seen["how"], seen["run"]) == ("done", "succeeded", run["run"])

"""What a job tells of itself outlives its worker, and a job can be ended from outside, running or not."""

from support import incident_app as app
from support.checker import counters_balance
from support.scene import Scene
from support.waiting import until


def test_a_job_that_died_at_a_row_goes_on_there_and_its_result_is_read(host_scene: Scene) -> None:
    scene = host_scene
    jid = scene.push(app.counts_rows, 90, 60)
    assert scene.client.result(jid, wait=20) == {"first": 61, "rows": 90}
    (crash,) = scene.await_crash(jid)
    assert (crash["cause"], crash["attempt"]) == ("segfault", 1)
    shown = scene.command("job", "show", jid)
    assert (shown["how"], shown["attempt"], shown["crashes"]) == ("succeeded", 2, 1)
    assert shown["progress"]["percent"] == 100 and shown["progress"]["message"] == "row 90"
    assert [failure["cause"] for failure in shown["failures"]] == ["segfault"]
    assert shown["checkpoint_bytes"] is None and shown["ended_at_ms"]
    assert shown["result"] == {"first": 61, "rows": 90} and shown["no_result"] is None


def test_a_running_job_is_cancelled_and_its_neighbour_runs_on(host_scene: Scene) -> None:
    scene = host_scene
    (host,) = scene.gangs
    before = scene.totals()
    workers = host.await_workers(2)
    gate, never = scene.root / "gate", scene.root / "never"
    unwanted, neighbour = scene.push(app.at_gate, str(never)), scene.push(app.at_gate, str(gate))
    scene.await_begin(unwanted)
    scene.await_begin(neighbour)
    behind = scene.push(app.at_gate, str(never))
    (waiting,) = scene.command("job", "cancel", behind)
    assert waiting == {"jid": behind, "outcome": "cancelled"}
    (asked,) = scene.command("job", "cancel", unwanted)
    assert asked == {"jid": unwanted, "outcome": "asked"}
    scene.await_gone(unwanted, 5.0)
    until(lambda: len(host.workers()) == 2 and host.workers() != workers, "the worker is replaced")
    gate.touch()
    scene.await_end(neighbour)
    scene.await_all_done()
    after = scene.totals()
    moved = {name: after[name] - before[name] for name in ("cancelled", "failed", "retried", "released")}
    assert moved == {"cancelled": 2, "failed": 0, "retried": 0, "released": 0}
    assert after["crashes"] == before["crashes"] and not scene.crashes(unwanted)
    assert [line["cause"] for line in host.log("worker.died")][-1] == "cancelled"
    assert scene.journal.begun(neighbour) == 1 and scene.journal.begun(behind) == 0
    assert len(set(workers) & set(host.workers())) == 1
    counters_balance(scene)

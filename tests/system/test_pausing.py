"""Queues and types are paused, resumed and cleared by command while a host serves them."""

import time

from support import incident_app as app
from support.checker import counters_balance, ran_exactly_once
from support.scene import Scene
from support.waiting import until


def test_a_queue_and_a_type_stop_and_go_on_and_a_queue_is_cleared(scene: Scene) -> None:
    scene.gang(workers=2, settings={"queues": ["incidents", "other"], "order": "strict"})
    opened, closed = scene.root / "opened", scene.root / "closed"
    opened.touch()
    running = scene.push(app.at_gate, str(closed))
    scene.await_begin(running)
    others_run(scene)

    # A queue: what runs goes on, nothing else begins; then all of it does, at once. The order is strict, and
    # a paused queue at its head keeps no other waiting.
    assert len(scene.command("queue", "pause", "incidents")["reached"]) == 12
    held = scene.push_healthy(30)
    others_run(scene)
    closed.touch()
    scene.await_end(running)
    others_run(scene)
    assert sum(scene.journal.begun(jid) for jid in held) == 0
    assert scene.status()["queues"]["incidents"]["paused"] is True
    assert scene.command("queue", "resume", "incidents")["unreachable"] == {}
    at_ns = time.monotonic_ns()
    scene.await_all_done()
    print(f"begun {(begun_ns(scene, held[0]) - at_ns) / 1e6:.0f} ms after the resume")

    # A type: its jobs stand aside, the others of the queue pass them.
    scene.command("type", "pause", "support.incident_app.healthy")
    parked = scene.push_healthy(30)
    passing = scene.push_many(app.at_gate, [(str(opened),)] * 30)
    for jid in passing:
        scene.await_end(jid)
    until(lambda: scene.status()["queues"]["incidents"]["parked"] == 30, "all of the type parked")
    assert sum(scene.journal.begun(jid) for jid in parked) == 0
    assert scene.command("type", "resume", "support.incident_app.healthy")["unparked"] == 30
    scene.await_all_done()

    # Cleared: what waits is gone, and counted.
    scene.command("queue", "pause", "incidents")
    cleared = scene.push_healthy(10)
    assert scene.command("queue", "clear", "incidents", "--yes")["removed"] == 10
    scene.command("queue", "resume", "incidents")
    scene.await_all_done()
    others_run(scene)
    assert sum(scene.journal.begun(jid) for jid in cleared) == 0
    ran_exactly_once(scene, [running, *held, *parked, *passing])
    assert scene.totals()["cancelled"] == 10
    counters_balance(scene)


def others_run(scene: Scene) -> None:
    """Jobs of another queue get through: a worker had its turn meanwhile, and looked at all queues."""
    for jid in scene.push_many(app.at_gate, [(str(scene.root / "opened"),)] * 12, queue="other"):
        scene.await_end(jid)


def begun_ns(scene: Scene, jid: str) -> int:
    return int(scene.journal.runs()[jid].begun[0][2])

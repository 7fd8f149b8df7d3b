"""Somebody empties the servers under a host that runs: what comes afterwards is not held up by it."""

from support import incident_app as app
from support.scene import Scene
from support.waiting import until


def test_a_host_goes_on_after_its_servers_were_flushed(scene: Scene) -> None:
    gang = scene.gang()
    scene.push_healthy(20)
    scene.await_all_done()
    gate = scene.root / "gate"
    scene.await_begin(scene.push(app.at_gate, str(gate)))
    scene.servers.flush()
    gate.touch()
    again = scene.push(app.exits_at_first)
    jids = scene.push_healthy(20)
    until(lambda: scene.status()["queues"], "the queue is in the catalog", 10)
    scene.await_all_done()
    assert all(scene.journal.ended(jid) == 1 for jid in jids)
    assert scene.journal.ended(again) == 1 and len(scene.crashes(again)) == 1
    assert gang.drain() == 0

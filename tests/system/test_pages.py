"""The flight recorder's pages are bytes that anybody in a worker may have written over."""

import signal

from support import incident_app as app
from support.scene import Scene


def test_a_job_that_wrote_garbage_over_its_page_is_run_again_and_its_host_lives(scene: Scene) -> None:
    gang = scene.gang(settings={"lease_ms": 3000, "renew_ms": 1000})
    jid = scene.push(app.scribbles_over_its_page)
    scene.await_begin(jid)
    (told,) = gang.await_log("worker.page_garbled")
    assert told["file"]
    scene.await_end(jid, 20)  # its lease ran out: nobody could say what the worker held
    assert scene.journal.begun(jid) == 2
    healthy = scene.push_healthy(20)
    scene.await_all_done()
    assert all(scene.journal.begun(each) == 1 for each in healthy)
    assert gang.drain() == 0
    assert signal.SIGKILL in [line["signal"] for line in gang.log("worker.died")]

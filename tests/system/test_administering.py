"""People at work beside real workers: dead letters, types that nobody knows, why a job is not running."""

from pathlib import Path

import pytest

from ganger.admin import Admin
from ganger.errors import UnknownType
from ganger.listing import JobFilter
from ganger.options import Options
from ganger.push_options import PushOptions
from support import incident_app as app
from support.command import running
from support.scene import CONTROL, Scene
from support.waiting import until


def test_dead_letters_are_shown_with_their_post_mortem_and_sent_back(host_scene: Scene) -> None:
    jids = [host_scene.push(app.segfaults) for _ in range(2)]
    for jid in jids:
        host_scene.await_dead(jid)
    found = host_scene.command("dead", "list", "--type", app.segfaults.name, "--cause", "segfault")
    assert {letter["jid"] for letter in found} == set(jids)
    shown = host_scene.command("dead", "show", jids[0])
    assert [crash["attempt"] for crash in shown["crash_records"]] == [2, 1]
    assert "SIGSEGV" in str(shown["crash_records"][0]["evidence"])
    assert "segfaults" in shown["failures"][-1]["stack"]
    sent = host_scene.command("dead", "retry", "--all", "--cause", "segfault", "--rate", "50/s", "--yes")
    assert sent == {"retried": 2, "unreachable": {}}
    for jid in jids:
        host_scene.await_crash(jid, 4)
    until(lambda: len(host_scene.command("dead", "list", "--cause", "segfault")) == 2, "both dead again")
    assert host_scene.command("dead", "delete", "--all", "--since", "1h", "--yes") == {
        "deleted": 2,
        "unreachable": {},
    }


def test_manifest_tells_a_type_that_no_live_worker_knows(host_scene: Scene) -> None:
    with pytest.raises(UnknownType, match="did you mean"):
        host_scene.client.push(app.healthy.name + "y", [1])
    # As another version of the app would push it: the type is known there and not here.
    options = Options(queue=app.QUEUE, retry=5)
    (jid,) = host_scene.client.send("shop.coming", options, PushOptions(), [([], {})])
    admin = Admin(host_scene.cluster, CONTROL)
    until(lambda: host_scene.command("retries", "--type", "shop.coming") != [], "its retry")
    (unserved,) = [one for one in admin.unserved() if one.type == "shop.coming"]
    assert (unserved.queue, unserved.waiting) == (app.QUEUE, 1)
    codes = [reason["code"] for reason in host_scene.command("why", jid)["reasons"]]
    assert codes == ["not_due", "type_unknown"]
    assert host_scene.command("job", "delete", jid) == {"jid": jid, "was": "retrying"}


def test_why_and_status_follow_a_job_under_a_worker(host_scene: Scene, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    admin = Admin(host_scene.cluster, CONTROL)
    jid = host_scene.push(app.at_gate, str(gate))
    host_scene.await_begin(jid)

    def reason() -> dict[str, object]:
        return admin.why(jid)[0].about

    until(lambda: "pid" in reason(), "a heartbeat that tells of it")
    assert reason()["pid"] in {worker.pid for worker in admin.workers() if worker.jid == jid}
    with running("status", "--watch", cwd=host_scene.root, env=host_scene.env) as process:
        assert process.stdout is not None
        seen = ""
        while jid not in seen:
            seen += process.stdout.readline()
    assert "leads" in seen
    gate.touch()
    host_scene.await_end(jid)
    until(lambda: [one.code for one in admin.why(jid)] == ["gone"], "its end")
    assert list(admin.dead(JobFilter(queue=app.QUEUE))) == []

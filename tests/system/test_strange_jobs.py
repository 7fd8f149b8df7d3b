"""What should not be in a queue, or be done in a job: it is reported, set aside, and nobody else suffers."""

from typing import Any

from ganger.command import Command
from ganger.keys import partitions
from ganger.options import Options
from ganger.push_options import PushOptions
from support import incident_app as app
from support.checker import ran_exactly_once
from support.scene import Scene
from support.waiting import until


def _outcome(scene: Scene, before: dict[str, int]) -> dict[str, int]:
    after = scene.totals()
    return {name: after[name] - before[name] for name in ("failed", "retried", "exhausted", "dead")}


def test_a_job_of_an_unknown_type_fails_visibly_through_retry_and_kills_nobody(host_scene: Scene) -> None:
    gang = host_scene.gangs[0]
    workers = gang.await_workers(2)
    # As another version of the app would push it: the type is known there and not here.
    options = Options(queue=app.QUEUE, retry=1)
    (jid,) = host_scene.client.send("shop.unheard_of", options, PushOptions(retry=1), [([], {})])
    until(lambda: (host_scene.job(jid) or {}).get("state") == "retrying", "its retry")
    shown = host_scene.command("job", "show", jid)
    assert [failure["cause"] for failure in shown["failures"]] == ["unknown_type"]
    assert "shop.unheard_of" in shown["failures"][0]["message"]
    assert shown["attempt"] == 2
    assert gang.workers() == workers


def test_arguments_that_do_not_fit_fail_by_name_and_the_handler_never_runs(host_scene: Scene) -> None:
    before = host_scene.totals()
    (jid,) = host_scene.client.push_many(app.takes_number.name, [["seven"]])
    host_scene.await_gone(jid)
    until(lambda: _outcome(host_scene, before)["exhausted"] == 1, "its end")
    assert _outcome(host_scene, before) == {"failed": 1, "retried": 0, "exhausted": 1, "dead": 0}
    assert host_scene.journal.begun(jid) == 0

    def told() -> list[dict[str, Any]]:
        return [line for line in host_scene.gangs[0].log("job.failed") if line["jid"] == jid]

    until(lambda: bool(told()), "the worker's log has it")
    assert [line["cause"] for line in told()] == ["bad_arguments"]
    assert "number" in told()[0]["error"]


def test_a_stream_entry_of_garbage_is_set_aside_and_the_queue_goes_on(host_scene: Scene) -> None:
    def one_each() -> list[str]:
        """Single pushes go round the partitions."""
        return [host_scene.push(app.healthy, number) for number in range(24)]

    workers = host_scene.gangs[0].await_workers(2)
    jids = one_each()
    for place in partitions("ganger", app.QUEUE, 12):
        for fields in ([b"x", b"\xff\xfe"], [b"j", b"\xff", b"t", b"t", b"b", b"{"]):
            host_scene.cluster.run(Command(place.slot, (b"XADD", place.ready[4], b"*", *fields)))
    jids += one_each()  # it is a push that wakes a drained partition, not a foreign hand
    for jid in jids:
        host_scene.await_end(jid)
    host_scene.await_idle()
    assert host_scene.gangs[0].workers() == workers
    ran_exactly_once(host_scene, jids)


def test_a_child_that_comes_back_from_a_handler_runs_no_job(host_scene: Scene) -> None:
    forking: list[str] = []
    healthy: list[str] = []
    for _ in range(10):
        forking += host_scene.push_many(app.child_returns, [()])
        healthy += host_scene.push_healthy(10)
    until(
        lambda: all(host_scene.journal.count("end")[jid] == 2 for jid in forking), "parents and children", 20
    )
    host_scene.await_idle()
    runs = host_scene.journal.runs()
    assert all(len(runs[jid].begun) == 1 for jid in forking)
    ran_exactly_once(host_scene, healthy)
    assert all(runs[jid].begun[0][1] == runs[jid].ended[0][1] for jid in healthy)

"""Workers that are replaced for what they have done, kept or lived, under load: no job is lost or run twice,
and no place stands empty."""

from collections import Counter

from support import memory_app as app
from support.gang import Gang
from support.scene import Scene
from support.turnover import one_by_one
from support.waiting import until


def test_each_reason_under_load_costs_no_job_and_no_place(scene: Scene) -> None:
    settings = {"recycle_jobs": 150, "recycle_memory": "32M", "recycle_age": "3s"}
    gang = scene.gang(settings=settings, app="support.memory_app")
    jids = [scene.push(app.keeps, 64)]
    until(lambda: "memory" in reasons(gang), "one that keeps too much", 20.0)
    jids += scene.push_many(app.small, [(number,) for number in range(1500)])
    until(lambda: {"jobs", "memory", "age"} <= reasons(gang), "every reason", 30.0)
    scene.await_all_done()
    assert scene.journal.count("begin") == scene.journal.count("end") == Counter(jids)
    assert not gang.log("worker.died") and not scene.crashes()
    assert one_by_one(gang.log())
    assert gang.drain() == 0


def reasons(gang: Gang) -> set[str]:
    return {line["reason"] for line in gang.log("worker.recycled")}

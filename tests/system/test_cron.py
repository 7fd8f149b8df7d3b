"""Cron on two hosts: one job a tick, also when the host that leads goes away with all it has."""

from support.crons import forget_ticks
from support.gang import Gang
from support.scene import Scene
from support.waiting import until


def fired(gangs: list[Gang]) -> int:
    return sum(len(gang.log("cron.fired")) for gang in gangs)


def test_a_tick_is_fired_once_by_whichever_host_leads(scene: Scene) -> None:
    gangs = [scene.gang(name, app="support.cron_app", workers=1) for name in ("one", "two")]
    until(lambda: sum(len(gang.log("cron.begun")) for gang in gangs) == 1, "the entry is known")
    forget_ticks(scene.cluster)
    until(lambda: fired(gangs) == 1, "the tick that was missed")
    jid = next(line["jid"] for gang in gangs for line in gang.log("cron.fired"))
    scene.await_end(jid)
    leader, other = sorted(gangs, key=lambda gang: -len(gang.log("cron.fired")))
    (row,) = scene.command("cron", "list")
    assert (row["name"], row["fired"], row["last"]["jid"]) == ("leap", 1, jid)
    assert row["missed_ticks"] >= 5 and row["last"]["state"] == "ended"
    leader.crash()
    forget_ticks(scene.cluster)
    until(lambda: len(other.log("cron.fired")) == 1, "the tick, by the host that is left")
    by_hand = scene.command("cron", "run", "leap")["jid"]
    scene.await_end(by_hand)
    scene.await_all_done()
    runs = scene.journal.runs()
    assert len(runs) == 3 and all(len(run.begun) == len(run.ended) == 1 for run in runs.values())
    assert [event["event"] for event in scene.command("cron", "history", "leap")] == [
        "run",
        "fired",
        "missed",
        "fired",
        "missed",
    ]

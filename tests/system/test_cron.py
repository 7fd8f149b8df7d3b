"""Cron on two hosts: one job a tick, also when the host that leads goes away with all it has."""

from ganger.command import Command
from ganger.keys import partitions
from ganger.operations import cron
from support.cron_app import QUEUE
from support.gang import Gang
from support.scene import CONTROL, Scene
from support.waiting import until


def forget_ticks(scene: Scene, since_ms: int = 978_307_200_000) -> None:
    """As if the entry had last been looked at on the first day of 2001."""
    entry = cron.entries(scene.cluster, CONTROL)["leap"]
    place = entry.partition(partitions("ganger", QUEUE, 12))
    value = scene.cluster.run(Command(place.slot, ("HGET", place.crons, "leap")))
    covered = b"%d|%s" % (since_ms, value.partition(b"|")[2])
    scene.cluster.run(Command(place.slot, ("HSET", place.crons, "leap", covered)))


def fired(gangs: list[Gang]) -> int:
    return sum(len(gang.log("cron.fired")) for gang in gangs)


def test_a_tick_is_fired_once_by_whichever_host_leads(scene: Scene) -> None:
    gangs = [scene.gang(name, app="support.cron_app", workers=1) for name in ("one", "two")]
    until(lambda: sum(len(gang.log("cron.begun")) for gang in gangs) == 1, "the entry is known")
    forget_ticks(scene)
    until(lambda: fired(gangs) == 1, "the tick that was missed")
    jid = next(line["jid"] for gang in gangs for line in gang.log("cron.fired"))
    scene.await_end(jid)
    leader, other = sorted(gangs, key=lambda gang: -len(gang.log("cron.fired")))
    (row,) = scene.command("cron", "list")
    assert (row["name"], row["fired"], row["last"]["jid"]) == ("leap", 1, jid)
    assert row["missed_ticks"] >= 5 and row["last"]["state"] == "ended"
    leader.crash()
    forget_ticks(scene)
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

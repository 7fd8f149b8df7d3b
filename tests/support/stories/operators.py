"""What people do: pause and resume, clear; and the words of hosts in the control slot."""

from ganger import pausing
from ganger.calls import open_command
from ganger.cluster import Cluster
from ganger.keys import Control
from ganger.operations import clear, control, enqueue, pause, retain, upkeep
from gangerd.roles.scheduler.pausing import Pausing
from support.keyspace import HOST, MAIL, OTHER_HOST
from support.stage import Stage
from support.stories.registry import LINE, jobs, pushed, story

KEYS = Control("ganger")


def complete(cluster: Cluster) -> int:
    """The leading scheduler's rounds: partitions obey the wish, and pay what they owe."""
    duty = Pausing(cluster, KEYS)
    told = 0
    for _ in range(2):
        (reply,) = cluster.run_many([duty.command(LINE)])
        duty.heard(LINE, reply, 0)
        for pay in duty.debts() or ():
            pay()
        told += duty.mend()
    return told


def hold(spread: pausing.Spread) -> bool:
    """Whether a command has reached LINE; else the scheduler does it."""
    return LINE in spread.reached


@story
def a_queue_paused_and_resumed(stage: Stage) -> None:
    """Whatever was lost or late: in the end it is handed out if and only if no wish stands."""
    (jid,) = pushed(stage, place=LINE)
    control.register_queue(stage.cluster, KEYS, "line", 1)
    stage.begin()
    paused = stage.act(lambda c: pausing.pause_queue(c, KEYS, "line", "look"))
    if not hold(paused):
        stage.act(complete)
    assert stage.take(LINE) == []
    resumed = stage.act(lambda c: pausing.resume_queue(c, KEYS, "line"))
    if not hold(resumed):
        stage.act(complete)
    stage.deliver()
    stage.act(complete)
    wished = "line" in pause.wishes(stage.cluster, KEYS).queues
    assert stage.came_late or not wished
    entries = stage.take(LINE)
    assert bool(entries) is not wished
    stage.settle(entries)
    stage.sure({jid: "waiting" if wished else "gone"}, places=(LINE,))


@story
def a_type_paused_and_resumed(stage: Stage) -> None:
    """A claim parks its jobs, a resume brings them back."""
    first, second = pushed(stage, 2, place=LINE)
    control.register_queue(stage.cluster, KEYS, "line", 1)
    stage.begin()
    if not hold(stage.act(lambda c: pausing.pause_type(c, KEYS, "shop.send"))):
        stage.act(complete)
    assert stage.take(LINE) == []
    if not hold(stage.act(lambda c: pausing.resume_type(c, KEYS, "shop.send"))):
        stage.act(complete)
    stage.deliver()
    stage.act(complete)
    wished = "shop.send" in pause.wishes(stage.cluster, KEYS).types
    assert stage.came_late or not wished
    entries = stage.take(LINE)
    assert len(entries) == (0 if wished else 2)
    stage.settle(entries)
    stage.sure(dict.fromkeys((first, second), "parked" if wished else "gone"), places=(LINE,))


@story
def a_queue_cleared(stage: Stage) -> None:
    """What was there when it was counted goes; what came later stays, whatever arrives late."""
    old = pushed(stage, 2)
    later, new, newer = jobs(1), jobs(1), jobs(1)
    enqueue.schedule(stage.cluster, MAIL, 5, later, delay_ms=60_000)
    stage.begin()

    def empty(cluster: Cluster) -> None:
        mark = clear.parse_mark(cluster.run(clear.mark_command(MAIL)))
        clear.parse(cluster.run(clear.waiting_command(MAIL, mark)), MAIL)

    stage.act(empty)
    stage.act(lambda c: clear.parse(c.run(clear.later_command(MAIL, 1)), MAIL))
    stage.act(lambda c: enqueue.push(c, MAIL, 5, new), named=True)
    stage.settle(stage.take())
    stage.act(lambda c: enqueue.push(c, MAIL, 5, newer), named=True)
    stage.sure(
        dict.fromkeys(old, "gone") | {later[0].jid: "gone", new[0].jid: "gone", newer[0].jid: "waiting"}
    )
    assert stage.counters()["cancelled"] == 3


@story
def a_host_speaks(stage: Stage) -> None:
    """Heartbeat, types, leadership, a post-mortem: said twice they are said once."""
    stage.begin()
    assert stage.act(lambda c: control.register_queue(c, KEYS, "mail", 12)) == 12
    assert stage.act(lambda c: control.register_queue(c, KEYS, "mail", 3)) == 12
    stage.act(lambda c: control.announce(c, KEYS, {"shop.send": {"queue": "mail"}}))
    stage.act(lambda c: control.heartbeat(c, KEYS, HOST, {"host": "here"}))
    assert stage.act(lambda c: control.lead(c, KEYS, HOST)).held
    assert not stage.act(lambda c: control.lead(c, KEYS, OTHER_HOST)).held
    stage.act(lambda c: control.record_crash(c, KEYS, "death-1", "segfault", {"jid": "j1"}))
    stage.act(lambda c: control.abdicate(c, KEYS, HOST))
    assert stage.act(lambda c: control.lead(c, KEYS, OTHER_HOST)).held
    stage.act(lambda c: control.depart(c, KEYS, HOST))
    stage.deliver()
    assert control.leader(stage.cluster, KEYS) == OTHER_HOST
    assert control.crash_totals(stage.cluster, KEYS) == {"segfault": 1}
    assert len(control.crashes(stage.cluster, KEYS)) == 1
    assert list(control.types(stage.cluster, KEYS)) == ["shop.send"]


@story
def housekeeping(stage: Stage) -> None:
    """Sweeping takes nothing from anybody, however often it goes round."""
    from ganger.operations import recover, track, unique

    (jid,) = pushed(stage)
    stage.begin()
    (entry,) = stage.take()
    for sweep in (upkeep.sweep_memo, track.sweep, unique.sweep):
        stage.act(lambda c, sweep=sweep: sweep(c, MAIL))  # type: ignore[misc]
    stage.act(lambda c: upkeep.trim_dead(c, MAIL))
    stage.act(lambda c: recover.drop_consumers(c, MAIL, 0))
    stage.act(lambda c: recover.restamp(c, MAIL))
    stage.act(lambda c: retain.trim(c, MAIL, 12, retain.Retention(count=100)))
    stage.act(lambda c: c.run(open_command(MAIL)))
    stage.sure({jid: "held"})
    stage.settle([entry])
    stage.sure({jid: "log"})

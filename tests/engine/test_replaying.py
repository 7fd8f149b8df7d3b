"""Runs over a whole queue: said before they act, stopped and gone on with, undone, copied into another
queue."""

from collections.abc import Iterator

import pytest

from ganger.calls import open_partition
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import BadName, BadOptions, JobNotFound, NodeDown, ScriptFailed
from ganger.jid import mint
from ganger.job import State
from ganger.keys import Control, Partition, partitions
from ganger.operations import claim, control, enqueue, failing, pause, runs, settle
from ganger.operations.enqueue import NewJob
from ganger.replaying import drive
from ganger.replaying.pace import Pace
from ganger.replaying.work import CopyInto, Replay, Survey, Work
from ganger.retry import Retry
from support.history import ALL, RUN, ended, names, retaining
from support.keyspace import HOST, WORKER, snapshot
from support.servers import ClusterServers

KEYS = Control("ganger")


@pytest.fixture
def mail(cluster: Cluster) -> tuple[Partition, ...]:
    """A queue of four partitions, each with the ends of 300 jobs, one a second from 1,000 s on."""
    control.register_queue(cluster, KEYS, "mail", 4)
    found = partitions("ganger", "mail", 4)
    for place in found:
        retaining(cluster, place)
        for number in range(300):
            kind = "shop.bill" if number % 10 == 0 else "shop.send"
            ended(cluster, (1000 + number) * 1000, partition=place, type=kind)
    return found


def ready(servers: ClusterServers, places: tuple[Partition, ...]) -> list[str]:
    found = snapshot(servers)
    return [jid for place in places for key in place.streams if key in found for jid in names(found, key)]


def logged(servers: ClusterServers, places: tuple[Partition, ...]) -> list[str]:
    found = snapshot(servers)
    return [jid for place in places for jid in names(found, place.log)]


def through(going: Iterator[runs.Run]) -> runs.Run:
    *_, last = going
    return last


def test_a_rewind_says_what_it_will_do_and_does_it(
    cluster: Cluster, cluster_servers: ClusterServers, mail: tuple[Partition, ...]
) -> None:
    run = drive.order(cluster, KEYS, "rewind", "mail", from_ms=1_100_000)
    before = snapshot(cluster_servers)
    seen = drive.survey(cluster, KEYS, run)
    assert snapshot(cluster_servers) == before
    assert (seen.total.count, seen.total.first_ms, seen.total.last_ms) == (800, 1_100_000, 1_299_000)
    assert seen.total.types == {"shop.send": 720, "shop.bill": 80}
    assert {index: count.count for index, count in seen.places.items()} == dict.fromkeys(range(4), 200)
    going = drive.begin(cluster, KEYS, run, seen)
    assert run.planned == 800, "before it begins"
    done = through(going)
    assert (done.state, sum(done.moved.values()), done.missing) == ("finished", 800, {})
    assert len(ready(cluster_servers, mail)) == 800 and len(logged(cluster_servers, mail)) == 400
    assert drive.known(cluster, KEYS, "mail") == [done]
    with pytest.raises(BadOptions, match="is finished"):
        through(drive.carry_on(cluster, KEYS, done))


def test_a_stopped_run_goes_on_and_takes_each_job_once(
    cluster: Cluster, cluster_servers: ClusterServers, mail: tuple[Partition, ...]
) -> None:
    run = drive.order(cluster, KEYS, "replay", "mail", type="shop.send")
    going = drive.begin(cluster, KEYS, run, drive.survey(cluster, KEYS, run))
    next(going)
    going.close()
    stopped = drive.find(cluster, KEYS, run.run)
    assert stopped.state == "stopped" and 0 < sum(stopped.moved.values()) < 1080
    got = claim.claim(cluster, mail[0], HOST, WORKER, 1, budget_us=1000, costs={"shop.send": 1}, cap=50)
    ids = [entry.id for entry in got.entries]
    assert settle.settle(cluster, mail[0], "succeeded", {got.entries[0].stream: ids}) == 50
    done = through(drive.carry_on(cluster, KEYS, stopped))
    assert (done.state, sum(done.moved.values())) == ("finished", 1080)
    assert len(ready(cluster_servers, mail)) == 1030, "what ended again meanwhile is not taken again"


def test_a_partition_out_of_reach_is_named_and_taken_later(
    cluster: Cluster, cluster_servers: ClusterServers, mail: tuple[Partition, ...]
) -> None:
    run = drive.order(cluster, KEYS, "rewind", "mail")
    aside = mail[2].log + b":aside"
    cluster.run(Command(mail[2].slot, ("RENAME", mail[2].log, aside)))
    cluster.run(Command(mail[2].slot, ("SET", mail[2].log, "in the way")))
    seen = drive.survey(cluster, KEYS, run)
    assert (seen.total.count, list(seen.missing)) == (900, [2])
    stopped = through(drive.begin(cluster, KEYS, run, seen))
    assert (stopped.state, list(stopped.missing), sum(stopped.moved.values())) == ("stopped", [2], 900)
    assert drive.find(cluster, KEYS, run.run) == stopped
    cluster.run(Command(mail[2].slot, ("RENAME", aside, mail[2].log)))
    done = through(drive.carry_on(cluster, KEYS, stopped))
    assert (done.state, done.missing, sum(done.moved.values())) == ("finished", {}, 1200)
    assert len(set(ready(cluster_servers, mail))) == 1200


def test_a_run_goes_on_without_the_control_slot(
    cluster: Cluster, cluster_servers: ClusterServers, mail: tuple[Partition, ...]
) -> None:
    run = drive.order(cluster, KEYS, "rewind", "mail")
    going = drive.begin(cluster, KEYS, run, drive.survey(cluster, KEYS, run))
    next(going)
    cluster.run(Command(KEYS.slot, ("DEL", KEYS.runs)))
    cluster.run(Command(KEYS.slot, ("SET", KEYS.runs, "in the way")))
    assert through(going).state == "finished"
    assert len(ready(cluster_servers, mail)) == 1200


def test_an_undone_run_leaves_what_has_begun(
    cluster: Cluster, cluster_servers: ClusterServers, mail: tuple[Partition, ...]
) -> None:
    run = drive.order(cluster, KEYS, "rewind", "mail")
    through(drive.begin(cluster, KEYS, run, drive.survey(cluster, KEYS, run)))
    got = claim.claim(cluster, mail[1], HOST, WORKER, 1, budget_us=1000, costs={}, cap=1)
    failing.apply(cluster, got.entries[0], HOST, Retry(60_000, State(attempts=1)))
    undone = through(drive.undo(cluster, KEYS, run))
    assert (undone.state, sum(undone.undone.values())) == ("undone", 1199)
    assert ready(cluster_servers, mail) == [] and len(logged(cluster_servers, mail)) == 1199
    assert drive.find(cluster, KEYS, run.run).state == "undone"
    again = drive.order(cluster, KEYS, "rewind", "mail", from_ms=1_100_000)
    assert drive.survey(cluster, KEYS, again).total.count == 800, "by the ends that they had"
    with pytest.raises(BadOptions, match="undone already"):
        through(drive.undo(cluster, KEYS, undone))


def test_parked_jobs_wait_too(cluster: Cluster, mail: tuple[Partition, ...]) -> None:
    run = drive.order(cluster, KEYS, "rewind", "mail", type="shop.bill")
    through(drive.begin(cluster, KEYS, run, drive.survey(cluster, KEYS, run)))
    for place in mail:
        cluster.run(pause.change_command(place, [("+", "shop.bill")]))
        assert claim.claim(cluster, place, HOST, WORKER, 1, budget_us=1000, costs={}).entries == []
        assert cluster.run(Command(place.slot, ("XLEN", place.parked))) == 30
    skip = drive.order(cluster, KEYS, "skip", "mail")
    skip.to_ms += 3_600_000
    assert drive.survey(cluster, KEYS, skip).total.types == {"shop.bill": 120}
    undone = through(drive.undo(cluster, KEYS, run))
    assert sum(undone.undone.values()) == 120


def test_an_undo_stops_the_run_where_it_goes(
    cluster: Cluster, cluster_servers: ClusterServers, mail: tuple[Partition, ...]
) -> None:
    run = drive.order(cluster, KEYS, "rewind", "mail")
    going = drive.begin(cluster, KEYS, run, drive.survey(cluster, KEYS, run))
    next(going)
    through(drive.undo(cluster, KEYS, drive.find(cluster, KEYS, run.run)))
    with pytest.raises(BadOptions, match="being undone"):
        through(going)
    assert ready(cluster_servers, mail) == [] and len(logged(cluster_servers, mail)) == 1200
    assert drive.find(cluster, KEYS, run.run).state == "undone", "its driver's last word came too late"


def test_what_is_skipped_can_wait_again(
    cluster: Cluster, cluster_servers: ClusterServers, mail: tuple[Partition, ...]
) -> None:
    for place in mail:
        made = mint("mail", place.index, 5)
        enqueue.push(cluster, place, 5, [NewJob(jid, "shop.send", b"{}") for jid in made])
    run = drive.order(cluster, KEYS, "skip", "mail")
    run.to_ms += 3_600_000  # the node's clock may be the test's
    seen = drive.survey(cluster, KEYS, run)
    assert (seen.total.count, seen.total.types) == (20, {"shop.send": 20})
    done = through(drive.begin(cluster, KEYS, run, seen))
    assert sum(done.moved.values()) == 20
    assert ready(cluster_servers, mail) == [] and len(logged(cluster_servers, mail)) == 1220
    undone = through(drive.undo(cluster, KEYS, done))
    assert (sum(undone.undone.values()), len(ready(cluster_servers, mail))) == (20, 20)
    assert len(logged(cluster_servers, mail)) == 1200


def test_copies_go_into_another_queue_and_away_again(
    cluster: Cluster, cluster_servers: ClusterServers, mail: tuple[Partition, ...]
) -> None:
    control.register_queue(cluster, KEYS, "shadow", 3)
    shadow = partitions("ganger", "shadow", 3)
    run = drive.order(cluster, KEYS, "replay", "mail", into="shadow", type="shop.bill")
    done = through(drive.begin(cluster, KEYS, run, drive.survey(cluster, KEYS, run)))
    assert (done.planned, sum(done.moved.values())) == (120, 120)
    copies = ready(cluster_servers, shadow)
    assert len(set(copies)) == 120 and not set(copies) & set(logged(cluster_servers, mail))
    assert len(logged(cluster_servers, mail)) == 1200, "the originals stay"
    undone = through(drive.undo(cluster, KEYS, done))
    assert sum(undone.undone.values()) == 120
    assert ready(cluster_servers, shadow) == []


@pytest.mark.parametrize("dies", ["before the read", "before the add", "after the add", "nowhere"])
def test_a_copying_driver_may_die_anywhere(
    cluster: Cluster, cluster_servers: ClusterServers, mail: tuple[Partition, ...], dies: str
) -> None:
    """The crash points of CopyInto. Between two lives of the driver the log loses its head, as by trimming,
    so that the chunks fall otherwise than before."""
    target = partitions("ganger", "shadow", 3)[1]
    open_partition(cluster, target)
    first = CopyInto(mail[2], target, RUN, ALL)
    calls = {"before the read": 1, "before the add": 2, "after the add": 2, "nowhere": 3}[dies]
    for _ in range(calls):
        first.heard(cluster.run(first.command(70)))
    if dies == "after the add":
        cluster.run(first.command(70))
    cluster.run(Command(mail[2].slot, ("XTRIM", mail[2].log, "MAXLEN", "260")))
    _finish(cluster, CopyInto(mail[2], target, RUN, ALL))
    copied = 70 if dies in ("after the add", "nowhere") else 0
    copies = ready(cluster_servers, (target,))
    assert len(copies) == len(set(copies)) == (300 if copied else 260)


def _finish(cluster: Cluster, work: Work) -> None:
    for _ in range(100):
        if work.done:
            return
        work.heard(cluster.run(work.command(90)))
    raise AssertionError("it does not end")


def test_a_node_is_waited_for_as_long_as_a_failover_takes() -> None:
    place = partitions("ganger", "mail", 4)[0]
    patient, broken, asked = Replay(place, RUN, ALL), Replay(place, RUN, ALL), Survey(place, RUN, ALL)
    for _ in range(9):
        patient.failed(NodeDown("its node is down"))
        broken.failed(ScriptFailed("it can't be done"))
        asked.failed(NodeDown("its node is down"))
    assert (patient.missing, broken.missing) == ("", "it can't be done")
    assert asked.missing == "its node is down", "who asks waits for the answer"


def test_wrong_orders_are_refused(cluster: Cluster, mail: tuple[Partition, ...]) -> None:
    with pytest.raises(BadName, match="no queue 'mial'"):
        drive.order(cluster, KEYS, "rewind", "mial")
    with pytest.raises(BadOptions, match="no time between"):
        drive.order(cluster, KEYS, "replay", "mail", from_ms=5, to_ms=5)
    with pytest.raises(BadOptions, match="succeeded, exhausted, expired, skipped"):
        drive.order(cluster, KEYS, "replay", "mail", hows=["good"])
    with pytest.raises(BadOptions, match="another queue"):
        drive.order(cluster, KEYS, "replay", "mail", into="mail")
    with pytest.raises(JobNotFound):
        drive.find(cluster, KEYS, "nobody")


def test_a_rate_is_kept_over_all_partitions() -> None:
    now, waits = [0.0], []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    pace = Pace(50, clock=lambda: now[0], pause=pause)
    total = 0
    while total < 500:
        moved = sum(pace.shares(4))
        assert 0 < moved <= 10
        total += moved
        pace.moved(moved)
    assert now[0] == pytest.approx(10.0)
    assert sum(Pace(0.5).shares(4)) == 1


def test_a_slow_cluster_is_not_made_up_for_by_a_rush() -> None:
    now = [0.0]
    pace = Pace(10, clock=lambda: now[0], pause=lambda seconds: now.__setitem__(0, now[0] + seconds))
    now[0] = 60.0
    for _ in range(20):
        pace.moved(2)
    assert now[0] >= 62.5

"""The coordinator as a whole, in this process: the test is its master and its workers."""

from collections.abc import Iterator

import pytest

from ganger.cluster import Cluster
from ganger.keys import partitions
from ganger.operations import control
from gangerd.linux import doorbell
from gangerd.messages import Death, DeathSettled, Drain, Message, RoleReady
from gangerd.recorder import EntryState, HeaderWord
from gangerd.roles.coordinator.service import Coordinator
from gangerd.roles.loop import LeaveLoop
from gangerd.roles.starting import Handler, Starting
from support import jobs
from support.roles import HOST, Stage, stage
from support.servers import ClusterServers

WORKER = "00000000000000b1"
HELD, STARTED = EntryState.HELD, EntryState.STARTED
MAIL = partitions("ganger", "mail", 4)


@pytest.fixture
def at(cluster_servers: ClusterServers) -> Iterator[Stage]:
    with stage(cluster_servers.url, partitions=4, host="web-1") as made:
        yield made


def begin(at: Stage) -> Coordinator:
    """A coordinator on the stage, ready and subscribed."""
    made: list[Coordinator] = []
    said: list[Message] = []

    def start(cluster: Cluster) -> tuple[Handler, str]:
        made.append(Coordinator(at.role, cluster))
        return made[-1].handle, made[-1].begin()

    def ready() -> bool:
        said.extend(at.said())
        return any(isinstance(message, RoleReady) for message in said)

    Starting(at.role, start)
    at.run_until(ready, "RoleReady")
    at.run_until(lambda: made[0]._lookout.polled == 4, "the first poll")
    assert made[0]._lookout.subscriptions.missing == 0
    return made[0]


def drain(at: Stage, *, successor: bool = False) -> int:
    at.master.send(Drain(successor))
    with pytest.raises(LeaveLoop) as left:
        at.run_until(lambda: False, "left")
    return left.value.status


def test_its_first_acts(cluster: Cluster, at: Stage) -> None:
    at.worker(0, WORKER).idle()
    begin(at)
    assert [(line.queue, line.partitions) for line in at.board.directory()] == [("mail", 4)]
    assert control.queues(cluster, jobs.KEYS) == {"mail": 4}
    at.run_until(lambda: control.hosts(cluster, jobs.KEYS), "a heartbeat")
    (host,) = control.hosts(cluster, jobs.KEYS)
    assert (host.incarnation, host.status["host"]) == (HOST, "web-1")
    (worker,) = host.status["workers"]
    assert {"host", "pid", "slot", "generation", "state", "jid", "type", "since_ms", "rss_bytes"} <= set(
        worker
    )
    assert (worker["state"], worker["slot"], worker["jid"]) == ("idle", 0, None)
    assert worker["rss_bytes"] > 1_000_000
    assert set(control.types(cluster, jobs.KEYS)) == {"shop.send", "shop.once"}
    assert at.role.header[HeaderWord.RENEWED_AT_NS]


def test_a_push_rings_a_sleeping_worker(cluster: Cluster, at: Stage) -> None:
    at.worker(0, WORKER).idle()
    begin(at)
    jobs.push(cluster, MAIL[2], priority=7)
    # Long before the next poll, which comes a second after the last.
    at.run_until(lambda: list(at.board.waiting(0, 4)), "a signal", deadline_s=0.9)
    assert list(at.board.waiting(0, 4)) == [(2, 7)]
    assert doorbell.silence(at.bell) == 1


def test_what_waited_before_it_came_is_found(cluster: Cluster, at: Stage) -> None:
    mail = jobs.queue(cluster, count=4)
    jobs.push(cluster, mail[1], 3, priority=2)
    at.worker(0, WORKER).idle()
    begin(at)
    assert list(at.board.waiting(0, 4)) == [(1, 2)]
    assert doorbell.silence(at.bell) == 1


def test_a_busy_worker_s_batch_comes_back_without_the_next_beat(cluster: Cluster, at: Stage) -> None:
    mail = jobs.queue(cluster, count=4)
    begin(at)
    jobs.push(cluster, mail[0], 3)
    entries = jobs.take(cluster, mail[0], HOST, WORKER)
    worker = at.worker(0, WORKER)
    worker.hold([jobs.held(entry) for entry in entries], [HELD] * 3)
    worker.run(0)
    at.run_until(lambda: jobs.seen(cluster, mail[0]).waiting == {0: 2}, "handed back")


def test_a_death_is_settled_and_answered(cluster: Cluster, at: Stage) -> None:
    mail = jobs.queue(cluster, count=4)
    (jid,) = jobs.push(cluster, mail[0])
    (entry,) = jobs.take(cluster, mail[0], HOST, WORKER)
    died = Death(
        "d1", HOST, WORKER, 0, 77, 1, 5, "oom_kill", True, True, signal=9,
        held=[jobs.held(entry)], states=[int(STARTED)], running=0,
    )  # fmt: skip
    at.master.send(died)  # before it stands: kept for it
    begin(at)
    said: list[Message] = []

    def answered() -> bool:
        said.extend(at.said())
        return DeathSettled("d1") in said

    at.run_until(answered, "DeathSettled")
    assert jobs.where(cluster, mail[0], jid) == ("retrying", 1, 1, 0, 0)
    assert control.crash_totals(cluster, jobs.KEYS) == {"oom_kill": 1}


def test_it_leaves_in_order(cluster: Cluster, at: Stage) -> None:
    begin(at)
    at.run_until(lambda: control.hosts(cluster, jobs.KEYS), "a heartbeat")
    assert drain(at) == 0
    assert control.hosts(cluster, jobs.KEYS) == []


def test_one_that_has_a_successor_leaves_and_its_host_stays(cluster: Cluster, at: Stage) -> None:
    begin(at)
    at.run_until(lambda: control.hosts(cluster, jobs.KEYS), "a heartbeat")
    assert drain(at, successor=True) == 0
    (host,) = control.hosts(cluster, jobs.KEYS)
    assert host.incarnation == HOST


def test_it_leaves_when_its_master_is_gone(at: Stage) -> None:
    begin(at)
    at.master.close()
    with pytest.raises(LeaveLoop) as left:
        at.run_until(lambda: False, "left")
    assert left.value.status == 1


def test_a_queue_list_of_its_own_overrules_the_app_s(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    with stage(cluster_servers.url, partitions=4, queues={"mail": 3, "images": 1}) as at:
        Starting(at.role, lambda cluster: ((made := Coordinator(at.role, cluster)).handle, made.begin()))
        at.run_until(at.said, "RoleReady")
        lines = [(line.queue, line.partitions, line.weight) for line in at.board.directory()]
    assert lines == [("mail", 4, 3), ("images", 4, 1)]

"""A cancelled job in this host's hands: the master is asked to end its run, an unstarted one goes back."""

import time
from collections.abc import Iterator

import pytest

from ganger.cluster import Cluster
from ganger.keys import Partition, partitions
from ganger.operations import cancel, find
from ganger.operations.cancel import Cancel
from gangerd.messages import EndRun, Message, RoleReady
from gangerd.recorder import EntryState, Held
from gangerd.roles.coordinator.cancels import INSIST_NS, UNSEEN_NS, Cancels
from gangerd.roles.coordinator.service import Coordinator
from gangerd.roles.loop import MS
from gangerd.roles.starting import Handler, Starting
from support import jobs
from support.roles import HOST, Stage, stage
from support.servers import ClusterServers

WORKER = "00000000000000b1"
HELD, STARTED, DONE, TAKEN = EntryState.HELD, EntryState.STARTED, EntryState.DONE, EntryState.TAKEN
MAIL = partitions("ganger", "mail", 4)


@pytest.fixture
def at(cluster_servers: ClusterServers) -> Iterator[Stage]:
    with stage(cluster_servers.url, partitions=4, host="web-1") as made:
        yield made


def begin(at: Stage) -> None:
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
    at.run_until(lambda: made[0]._lookout.subscriptions.missing == 0, "subscribed")


def told(at: Stage, within_s: float) -> list[EndRun]:
    said: list[EndRun] = []

    def heard() -> bool:
        said.extend(message for message in at.said() if isinstance(message, EndRun))
        return bool(said)

    at.run_until(heard, "EndRun", within_s)
    return said


def held_by_a_worker(cluster: Cluster, at: Stage, count: int, age_ms: int = 0) -> tuple[Partition, list[str]]:
    """Jobs of one batch, the first of them running."""
    mail = jobs.queue(cluster, count=4)
    jids = jobs.push(cluster, mail[0], count)
    entries = jobs.take(cluster, mail[0], HOST, WORKER)
    worker = at.worker(0, WORKER)
    worker.hold([jobs.held(entry) for entry in entries], [HELD] * count, age_ms=age_ms)
    worker.run(0)
    return mail[0], jids


def ask(cluster: Cluster, partition: Partition, jid: str) -> None:
    found = find.find(cluster, partition, jid)
    assert found is not None
    assert cancel.cancel(cluster, partition, jid, stream=found.stream, id=found.id) is Cancel.ASKED


def test_a_hint_has_the_run_ended_long_before_the_next_renewal(cluster: Cluster, at: Stage) -> None:
    begin(at)
    place, (jid, *_) = held_by_a_worker(cluster, at, 1)
    ask(cluster, place, jid)
    assert told(at, 2.0) == [EndRun(WORKER, 1)]


def test_a_hint_that_got_lost_is_made_good_by_a_renewal(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    with stage(cluster_servers.url, partitions=4, host="web-1", renew_ms=300) as at:
        place, (jid, *_) = held_by_a_worker(cluster, at, 1, age_ms=3_000)
        ask(cluster, place, jid)  # nobody listens yet
        begin(at)
        assert told(at, 5.0)[0] == EndRun(WORKER, 1)


def test_one_that_waits_behind_another_goes_back_and_ends_there(cluster: Cluster, at: Stage) -> None:
    begin(at)
    place, jids = held_by_a_worker(cluster, at, 3)
    ask(cluster, place, jids[1])
    at.run_until(lambda: jobs.where(cluster, place, jids[1]) is None, "it has ended")
    seen = jobs.seen(cluster, place)
    assert (seen.counters["cancelled"], seen.counters["released"], seen.in_flight) == (1, 1, 1)
    assert jobs.where(cluster, place, jids[2]) == ("ready", 0, 0, 0, 0)


def test_it_insists_once_a_second_and_forgets_what_is_over(cluster: Cluster, at: Stage) -> None:
    said: list[EndRun] = []
    cancels = Cancels(at.role.pages, said.append, lambda slot: None)
    mail = jobs.queue(cluster, count=1)[0]
    jobs.push(cluster, mail, 2)
    entries = jobs.take(cluster, mail, HOST, WORKER)
    worker = at.worker(0, WORKER)
    worker.hold([jobs.held(entry) for entry in entries], [HELD, HELD])
    worker.run(0)
    now_ns = time.monotonic_ns()
    cancels.asked(mail, entries[0].id, now_ns)
    for later_ms in (0, 25, 50):
        assert cancels.scan(now_ns + later_ms * MS)
    assert said == [EndRun(WORKER, 1)]
    assert cancels.scan(now_ns + INSIST_NS)
    assert len(said) == 2
    worker.page.states[0] = DONE
    assert not cancels.scan(now_ns + 2 * INSIST_NS)
    assert len(said) == 2


def test_what_no_page_shows_is_looked_for_a_moment_and_the_next_run_is_let_alone(at: Stage) -> None:
    """The worker's next run has another entry, whatever slot and job it is."""
    said: list[EndRun] = []
    cancels = Cancels(at.role.pages, said.append, lambda slot: None)
    worker = at.worker(0, WORKER)
    now_ns = time.monotonic_ns()
    cancels.asked(MAIL[0], b"7-7", now_ns)
    worker.hold([Held("mail", 0, 5, "8-8", "j", "shop.send", 1)], [HELD])
    worker.run(0)
    assert cancels.scan(now_ns)
    assert not cancels.scan(now_ns + UNSEEN_NS)
    assert said == []

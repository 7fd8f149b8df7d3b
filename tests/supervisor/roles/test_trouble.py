"""Nodes that hang or die and slots that move, under the roles: on servers of this file's own."""

import time
from collections.abc import Callable, Iterator
from random import Random

import pytest

from ganger.cluster import Cluster
from ganger.keys import Partition
from ganger.operations import recover
from gangerd.board import Board
from gangerd.linux import doorbell
from gangerd.messages import Death
from gangerd.recorder import BOARD_BYTES, EntryState
from gangerd.roles.coordinator.board_keeper import BoardKeeper
from gangerd.roles.coordinator.burial import Undertaker
from gangerd.roles.coordinator.lookout import Lookout
from gangerd.roles.coordinator.renewal import Renewal
from gangerd.roles.loop import Loop
from gangerd.roles.queues import Queues
from gangerd.roles.scheduler.leadership import Leadership
from support import jobs
from support.roles import HOST, MANIFEST, stage
from support.servers import ClusterServers
from support.waiting import until

HELD, STARTED = EntryState.HELD, EntryState.STARTED
WORKER = "00000000000000b1"


@pytest.fixture(scope="module")
def servers() -> Iterator[ClusterServers]:
    with ClusterServers(primaries=3) as made:
        yield made


@pytest.fixture
def cluster(servers: ClusterServers) -> Iterator[Cluster]:
    servers.flush()
    transport = Cluster(servers.settings(socket_timeout_s=0.9, connect_timeout_s=0.5))
    yield transport
    transport.close()


@pytest.fixture
def mail(cluster: Cluster) -> tuple[Partition, ...]:
    """One partition on each node."""
    return jobs.queue(cluster, count=3)


class Watcher:
    """A lookout on a loop of its own, over partitions of one queue."""

    def __init__(self, cluster: Cluster, mail: tuple[Partition, ...]) -> None:
        self.loop = Loop()
        self.board = Board(memoryview(bytearray(BOARD_BYTES)))
        keeper = BoardKeeper(self.board, 1, doorbell.create())
        keeper.publish({"mail": (mail, 1)})
        self.lookout = Lookout(cluster, self.loop, keeper, lambda *_: None, lambda *_: None)
        self.loop.when_asked("scan", lambda: None)
        self.lookout.follow()
        self.lookout.poll()

    def until(self, condition: Callable[[], object], what: str, deadline_s: float = 10.0) -> None:
        end_s = time.monotonic() + deadline_s
        while not condition():
            assert time.monotonic() < end_s, f"not within {deadline_s} s: {what}"
            self.loop.round(0.01)

    def hears(self, cluster: Cluster, partition: Partition) -> bool:
        """Whether a push shows on the board without any poll of ours."""
        jobs.push(cluster, partition)
        self.until(lambda: self.waiting(partition), "the wake-up", 2.0)
        return True

    def waiting(self, partition: Partition) -> bool:
        return partition.index in dict(self.board.waiting(0, 3))


def test_a_moved_slot_is_subscribed_where_it_went(
    servers: ClusterServers, cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    watcher = Watcher(cluster, mail)
    assert all(watcher.hears(cluster, partition) for partition in mail)
    moved = mail[0]
    source, target = servers.index_of(moved.slot), (servers.index_of(moved.slot) + 1) % 3
    jobs.take(cluster, moved, HOST, WORKER)
    watcher.board.silence(0)
    servers.move_slot(moved.slot, source, target)
    try:
        node = servers.nodes[target].port
        watcher.until(
            lambda: (at := watcher.lookout.subscriptions._at.get(moved.wake)) and at.port == node,
            "subscribed at the new node",
        )
        assert watcher.lookout.subscriptions.missing == 0
        assert watcher.hears(cluster, moved)
    finally:
        watcher.lookout.close()
        servers.move_slot(moved.slot, target, source)


def test_a_lost_connection_is_made_again_and_polled_at_once(
    servers: ClusterServers, cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    watcher = Watcher(cluster, mail)
    watcher.until(lambda: watcher.lookout.subscriptions.missing == 0, "subscribed")
    watcher.loop.round(0.05)
    node = servers.nodes[servers.index_of(mail[1].slot)]
    node.call("CLIENT", "KILL", "TYPE", "pubsub")
    jobs.push(cluster, mail[1])  # said to nobody
    watcher.until(lambda: watcher.waiting(mail[1]), "found by the poll after the gap", 2.0)
    jobs.take(cluster, mail[1], HOST, WORKER)
    watcher.board.silence(1)
    assert watcher.hears(cluster, mail[1])
    watcher.lookout.close()


def test_a_node_that_hangs_silences_its_own_partitions_only(
    servers: ClusterServers, cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    watcher = Watcher(cluster, mail)
    for partition in mail:
        jobs.push(cluster, partition)
    watcher.lookout.poll()
    hung = servers.index_of(mail[2].slot)
    servers.pause(hung)
    try:
        began_s = time.monotonic()
        watcher.lookout.poll()
        assert time.monotonic() - began_s < 0.9
        assert [watcher.waiting(partition) for partition in mail] == [True, True, False]
        assert watcher.lookout.polled == 2
    finally:
        servers.resume(hung)
    until(lambda: watcher.lookout.poll() or watcher.waiting(mail[2]), "the node is back")  # type: ignore[func-returns-value]
    watcher.lookout.close()


def test_a_node_that_hangs_lets_no_other_lease_lapse(
    servers: ClusterServers, cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    queues = Queues(cluster, jobs.KEYS)
    queues.refresh()
    with stage(servers.url) as at:
        for slot, partition in enumerate(mail):
            jobs.push(cluster, partition)
            entries = jobs.take(cluster, partition, HOST, f"{slot:016x}")
            at.worker(slot, f"{slot:016x}").hold(
                [jobs.held(entry) for entry in entries], [HELD], age_ms=3_000
            )
        before = [recover.leases(cluster, partition, 0).leases[0].delivered_ms for partition in mail]
        hung = servers.index_of(mail[0].slot)
        until(lambda: time.time() * 1000 > max(before) + 10, "a later millisecond")
        servers.pause(hung)
        try:
            began_s = time.monotonic()
            renewal = Renewal(cluster, at.role.pages, HOST, lambda *_: None)
            done = renewal.round(queues.find, time.monotonic_ns())
            assert time.monotonic() - began_s < 1.5
            assert (done.asked, done.answered) == (3, 2)
            for index in (1, 2):
                (lease,) = recover.leases(cluster, mail[index], 0).leases
                assert lease.delivered_ms > before[index]
        finally:
            servers.resume(hung)


def test_a_death_waits_for_its_node_and_the_rest_of_it_does_not(
    servers: ClusterServers, cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    queues = Queues(cluster, jobs.KEYS)
    queues.refresh()
    control_at = servers.index_of(jobs.KEYS.slot)
    down, up = (partition for partition in mail if servers.index_of(partition.slot) != control_at)
    for partition in (down, up):
        jobs.push(cluster, partition)
    entries = [*jobs.take(cluster, down, HOST, WORKER, 1), *jobs.take(cluster, up, HOST, WORKER, 2)]
    died = Death(
        "d1", HOST, WORKER, 0, 77, 1, 5, "killed", True, True, signal=9,
        held=[jobs.held(entry) for entry in entries], states=[int(STARTED), int(HELD)], running=0,
    )  # fmt: skip
    undertaker = Undertaker(cluster, jobs.KEYS, queues, MANIFEST["types"], "web-1", Random(1))
    hung = servers.index_of(down.slot)
    servers.pause(hung)
    try:
        assert undertaker.bury(died).errors
        assert jobs.seen(cluster, up).waiting == {0: 1}
    finally:
        servers.resume(hung)
    until(lambda: not undertaker.bury(died).errors, "settled")
    assert jobs.where(cluster, down, entries[0].jid) == ("retrying", 1, 1, 0, 0)
    assert jobs.seen(cluster, up).counters["released"] == 1


def test_when_the_node_of_the_leader_lock_hangs_the_others_due_jobs_are_promoted_all_the_same(
    servers: ClusterServers, cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    """Nobody can renew or take the lock: then everybody leads, and comes back to one afterwards."""
    schedulers = [Leadership(cluster, jobs.KEYS, holder) for holder in ("a" * 16, "b" * 16)]
    assert [each.seek() for each in schedulers] == [True, False]
    hung = servers.index_of(jobs.KEYS.slot)
    servers.pause(hung)
    try:
        until(lambda: sum([each.seek() for each in schedulers]) == 2, "both lead", 10.0)
    finally:
        servers.resume(hung)
    until(lambda: sum([each.seek() for each in schedulers]) == 1, "one leads", 10.0)

"""Slots that move while commands run: MOVED, ASK and TRYAGAIN from real migrations."""

import threading
from collections.abc import Iterator

import pytest

from ganger.cluster import Cluster, Command
from ganger.errors import ClusterUnavailable
from ganger.keys import Partition, partitions
from support.servers import ClusterServers
from support.waiting import until

PARTS = partitions("test", "moving", 12)


def at_node(servers: ClusterServers, index: int) -> Partition:
    """A partition whose slot was served by this node at the start."""
    return next(part for part in PARTS if servers.index_of(part.slot) == index)


@pytest.fixture
def part(moving_servers: ClusterServers) -> Iterator[Partition]:
    """A partition of node 0, whose slot goes back there after the test."""
    part = at_node(moving_servers, 0)
    yield part
    for node in moving_servers.nodes:
        node.call("CLUSTER SETSLOT", part.slot, "STABLE")
    moving_servers.flush()
    moving_servers.wait_agreed(part.slot)
    owner = moving_servers.owner(part.slot, 0)
    if owner:
        moving_servers.move_slot(part.slot, owner, 0)


def incr(part: Partition, key: bytes | None = None) -> Command:
    return Command(part.slot, ("INCR", key or part.meta))


def test_a_moved_slot_is_followed_and_remembered(
    moving: Cluster, moving_servers: ClusterServers, part: Partition
) -> None:
    assert moving.run(incr(part)) == 1
    moving_servers.move_slot(part.slot, 0, 1)
    assert moving.run(incr(part)) == 2
    node = moving.node_of(part.slot)
    assert node and node.port == moving_servers.nodes[1].port
    moving_servers.move_slot(part.slot, 1, 2)
    others = [at_node(moving_servers, 0), at_node(moving_servers, 1), at_node(moving_servers, 2)]
    replies = moving.run_many([incr(part), *(incr(other, other.memo) for other in others)])
    assert replies[0] == 3 and replies[1:] == [1, 1, 1]


def test_run_many_follows_every_moved_command(
    moving: Cluster, moving_servers: ClusterServers, part: Partition
) -> None:
    assert moving.run_many([incr(part)] * 5) == [1, 2, 3, 4, 5]
    moving_servers.move_slot(part.slot, 0, 2)
    assert sorted(moving.run_many([incr(part)] * 5)) == [6, 7, 8, 9, 10]


def test_a_half_done_migration_is_asked(
    moving: Cluster, moving_servers: ClusterServers, part: Partition
) -> None:
    assert moving.run(incr(part)) == 1 and moving.run(incr(part, part.memo)) == 1
    moving_servers.begin_move(part.slot, 0, 1)
    moving_servers.move_keys(0, 1, part.meta)
    # One key has moved, one has not, one is new (and belongs to the target).
    commands = [incr(part), incr(part, part.memo), incr(part, part.dead), incr(part)]
    assert moving.run_many(commands) == [2, 2, 1, 3]
    assert moving.run(incr(part)) == 4
    node = moving.node_of(part.slot)
    assert node and node.port == moving_servers.nodes[0].port, "ASK must not change the map"


def test_tryagain_is_waited_out(moving: Cluster, moving_servers: ClusterServers, part: Partition) -> None:
    both = Command(
        part.slot, ("EVAL", "#!lua\nreturn redis.call('MGET', KEYS[1], KEYS[2])", 2, part.meta, part.memo)
    )
    assert moving.run(incr(part)) == 1 and moving.run(incr(part, part.memo)) == 1
    moving_servers.begin_move(part.slot, 0, 1)
    moving_servers.move_keys(0, 1, part.meta)
    with pytest.raises(ClusterUnavailable, match=r"could not serve .* in time .*TRYAGAIN"):
        moving.run(both, deadline_s=1.0)
    done: list[object] = []
    thread = threading.Thread(target=lambda: done.append(moving.run(both)))
    thread.start()
    moving_servers.move_keys(0, 1, part.memo)
    moving_servers.end_move(part.slot, 1)
    thread.join(10)
    assert done == [[b"1", b"1"]]


def await_rounds(rounds: list[int]) -> None:
    """Until each has made two more."""
    before = list(rounds)
    until(lambda: all(now >= then + 2 for now, then in zip(rounds, before, strict=True)), "two rounds more")


def test_nothing_is_lost_or_doubled_under_migrations(
    moving: Cluster, moving_servers: ClusterServers, part: Partition
) -> None:
    stop = threading.Event()
    sums, rounds = [0, 0], [0, 0]

    def count(number: int) -> None:
        while not stop.is_set():
            replies = moving.run_many([incr(part)] * 3) if number else [moving.run(incr(part))]
            sums[number] += len([reply for reply in replies if isinstance(reply, int)])
            rounds[number] += 1

    threads = [threading.Thread(target=count, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for source, target in [(0, 1), (1, 2), (2, 0)] * 3:
        moving_servers.move_slot(part.slot, source, target)
        # Nobody is still on the way to where an earlier move had sent him: that node may import again soon.
        await_rounds(rounds)
    stop.set()
    for thread in threads:
        thread.join(10)
    assert min(sums) > 0
    assert int(moving.run(Command(part.slot, ("GET", part.meta)))) == sum(sums)


def test_a_subscription_hears_that_its_slot_left(
    moving: Cluster, moving_servers: ClusterServers, part: Partition
) -> None:
    node = moving.node_of(part.slot)
    assert node
    subscription = moving.connection(node)
    subscription.ssubscribe([part.wake])
    moving_servers.move_slot(part.slot, 0, 1)
    deadline = threading.Event()
    while part.wake not in subscription.dropped:
        assert subscription.read() == []
        deadline.wait(0.01)
    subscription.close()

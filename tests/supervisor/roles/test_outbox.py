"""The scheduler delivers what one slot owes to another, once, whatever dies in between."""

from collections.abc import Iterator

import pytest

from ganger import parcel
from ganger.cluster import Cluster, Command
from ganger.jid import mint
from ganger.keys import Partition, partitions
from ganger.operations import outbox
from ganger.operations.enqueue import NewJob
from ganger.parcel import Parcel
from gangerd.roles.scheduler.outbox import MOST_BOXES, Outbox
from gangerd.roles.scheduler.parcels import Parcels
from gangerd.roles.scheduler.service import Scheduler
from support import jobs
from support.roles import Stage, stage
from support.servers import ClusterServers


@pytest.fixture
def at(cluster_servers: ClusterServers) -> Iterator[Stage]:
    with stage(cluster_servers.url, lease_ms=300) as made:
        yield made


@pytest.fixture
def mail(cluster: Cluster) -> tuple[Partition, ...]:
    return jobs.queue(cluster, count=3)


def owe(cluster: Cluster, owner: Partition, effects: dict[bytes, bytes]) -> None:
    words = [word for pair in effects.items() for word in pair]
    cluster.run(Command(owner.slot, ("HSET", owner.outbox, *words)))


def owed(cluster: Cluster, owner: Partition) -> int:
    return outbox.parse_length(cluster.run(outbox.length_command(outbox.box_of(owner))))


def parcel_for(target: Partition, count: int) -> Parcel:
    new = [NewJob(jid, "shop.send", b"{}") for jid in mint(target.queue, target.index, count)]
    return Parcel(target, 3, 5, tuple(new))


def effect(made: Parcel) -> dict[bytes, bytes]:
    return {b"j:" + made.name.encode(): b"- " + made.encode()}


def duty(cluster: Cluster) -> Outbox:
    made = Outbox(cluster)
    made.teach(parcel.PREFIX, Parcels(cluster, "ganger").deliver)
    return made


def test_parcels_arrive_also_in_a_queue_that_was_never_opened(
    cluster: Cluster, mail: tuple[Partition, ...], at: Stage
) -> None:
    report = partitions("ganger", "report", 3)[1]
    first, second = parcel_for(mail[2], 3), parcel_for(report, 2)
    owe(cluster, mail[0], effect(first))
    owe(cluster, mail[1], effect(second))
    scheduler = Scheduler(at.role, cluster)
    scheduler.begin()
    at.run_until(lambda: jobs.seen(cluster, report).ready == 2, "delivered")
    at.run_until(lambda: owed(cluster, mail[0]) + owed(cluster, mail[1]) == 0, "cleared")
    assert jobs.seen(cluster, mail[2]).ready == 3


def test_delivered_and_not_cleared_is_delivered_once(cluster: Cluster, mail: tuple[Partition, ...]) -> None:
    """Crash point: the leader dies between the two; the next one does it again."""
    made = parcel_for(mail[1], 2)
    owe(cluster, mail[0], effect(made))
    box = outbox.box_of(mail[0])
    _, found = outbox.parse_page(cluster.run(outbox.page_command(box)), box)
    assert list(Parcels(cluster, "ganger").deliver(found)) == found
    successor = duty(cluster)
    successor.attend(box)
    assert successor.step() == 1
    assert jobs.seen(cluster, mail[1]).ready == 2
    assert owed(cluster, mail[0]) == 0


def test_two_leaders_deliver_once(cluster: Cluster, mail: tuple[Partition, ...]) -> None:
    owe(cluster, mail[0], effect(parcel_for(mail[1], 2)))
    box = outbox.box_of(mail[0])
    _, seen_by_both = outbox.parse_page(cluster.run(outbox.page_command(box)), box)
    for _ in range(2):
        list(Parcels(cluster, "ganger").deliver(seen_by_both))
        outbox.clear(cluster, box, seen_by_both)
    assert jobs.seen(cluster, mail[1]).ready == 2


def test_what_is_unknown_or_garbled_stays_and_holds_up_nothing(
    cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    made = parcel_for(mail[1], 1)
    owe(cluster, mail[0], {b"z:1": b"of a newer version", b"j:1": b"no parcel", **effect(made)})
    walk = duty(cluster)
    walk.attend(outbox.box_of(mail[0]))
    assert walk.step() == 1
    assert jobs.seen(cluster, mail[1]).ready == 1
    assert owed(cluster, mail[0]) == 2
    assert walk.next_in_ms() == 250


def test_a_long_outbox_and_many_of_them_take_several_steps(
    cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    walk = duty(cluster)
    seen: list[bytes] = []

    def deliver(effects: object) -> object:
        seen.extend(one.name for one in effects)  # type: ignore[attr-defined]
        return effects

    walk.teach(b"b", deliver)  # type: ignore[arg-type]
    owe(cluster, mail[0], {b"b:%d" % number: b"dead" for number in range(1000)})
    walk.attend(outbox.box_of(mail[0]))
    others = partitions("ganger", "other", MOST_BOXES + 4)
    for number, other in enumerate(others):
        owe(cluster, other, {b"": b"", b"b:o%d" % number: b"dead"})
        walk.attend(outbox.box_of(other))
    steps = 0
    while walk.next_in_ms() == 0.0:
        walk.step()
        steps += 1
    assert steps > 3
    assert len(set(seen)) == 1000 + len(others)
    assert owed(cluster, mail[0]) == 0

"""Parcels: as bytes and back, and their delivery, which happens once."""

import pytest

from ganger import parcel
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.jid import mint
from ganger.keys import partitions
from ganger.operations import upkeep
from ganger.operations.enqueue import NewJob
from ganger.parcel import Parcel
from support.keyspace import MAIL, counter, now_ms, opened, snapshot, unstamped
from support.servers import ClusterServers

ANY = bytes(range(256))


def packed(count: int = 2, **options: int) -> Parcel:
    jobs = [NewJob(jid, "shop.send", b"{}" + ANY, b"[1]") for jid in mint("mail", 3, count)]
    return Parcel(MAIL, 12, 7, tuple(jobs), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{}, {"delay_ms": 5000}, {"at_ms": 99}, {"first": 17}])
def test_a_parcel_survives_as_bytes(options: dict[str, int]) -> None:
    made = packed(**options)
    first = b"-" if made.first is None else b"%d" % made.first
    assert parcel.decode("ganger", first + b" " + made.encode()) == made
    assert made.name == made.jobs[0].jid


@pytest.mark.parametrize(
    "value",
    [b"", b"-", b"- mail 3 12 7 now 0 -\n", b"- mail 12 12 7 now 0 -\nj t 0 2\n{}", b"- m 0 1 5 now 0"],
)
def test_what_is_none_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError):
        parcel.decode("ganger", value)


def test_members_are_labelled_by_their_numbers(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    jobs = [
        NewJob(jid, "shop.send", body)
        for jid, body in zip(mint("mail", 3, 2), (b"{}", b"x9\n{}"), strict=True)
    ]
    made = Parcel(MAIL, 12, 7, tuple(jobs), batch="b-x").numbered(40)
    assert cluster.run(made.command()) == [b"pushed"]
    entries, _ = snapshot(cluster_servers)[MAIL.ready[6]]
    assert [fields[b"b"] for _, fields in entries] == [b"bb-x:40\n{}", b"bb-x:41 x9\n{}"]


@pytest.mark.parametrize("options", [{}, {"delay_ms": 60_000}])
def test_a_second_delivery_adds_nothing(
    cluster: Cluster, cluster_servers: ClusterServers, options: dict[str, int]
) -> None:
    opened(cluster)
    made = packed(3, **options)
    cluster.run(made.command())
    before = snapshot(cluster_servers)
    assert cluster.run(made.command()) == [b"repeat"]
    assert unstamped(snapshot(cluster_servers)) == unstamped(before)
    assert counter(cluster, "enqueued") == 3


def test_the_same_jobs_under_another_name_are_another_delivery(cluster: Cluster) -> None:
    opened(cluster)
    made = packed(1)
    assert cluster.run(made.command("run1")) == [b"pushed"]
    assert cluster.run(made.command("run2")) == [b"pushed"]
    assert cluster.run(made.command("run1")) == [b"repeat"]


def test_jobs_of_several_ops_travel_together(cluster: Cluster) -> None:
    opened(cluster)
    jobs = [NewJob(mint("mail", 3)[0], "shop.send", b"{}") for _ in range(3)]
    made = Parcel(MAIL, 12, 5, tuple(jobs))
    assert cluster.run(made.command()) == [b"pushed"]
    assert counter(cluster, "enqueued") == 3


def test_a_delivery_is_known_for_longer_than_a_push(cluster: Cluster) -> None:
    opened(cluster)
    made = packed(1)
    cluster.run(made.command())
    name = f"p:o{made.name}:0"
    value = cluster.run(Command(MAIL.slot, ("HGET", MAIL.memo, name))).decode()
    old = f"0|{now_ms(cluster) - 3_600_000}|{value.split('|')[2]}"
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.memo, name, old, "p:abcdefg:0", old)))
    assert upkeep.sweep_memo(cluster, MAIL) == (0, 1)
    assert cluster.run(made.command()) == [b"repeat"]


def test_a_delivery_may_be_for_any_queue() -> None:
    place = partitions("shop", "a/b.c", 3)[2]
    made = Parcel(place, 3, 5, (NewJob("j", "t", b"{}"),))
    assert parcel.decode("shop", b"- " + made.encode()) == made

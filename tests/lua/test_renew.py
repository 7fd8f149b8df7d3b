"""renew: the caller's leases start anew, others are named and left alone."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import claim, recover
from support.keyspace import (
    HOST,
    MAIL,
    OTHER_HOST,
    add,
    lease,
    opened,
)


def test_only_one_s_own_is_renewed(cluster: Cluster) -> None:
    opened(cluster)
    for stream in (0, 5):
        add(cluster, "1-1", stream=stream)
        add(cluster, "2-1", stream=stream)
        lease(cluster, stream=stream)
        lease(cluster, stream=stream, consumer=OTHER_HOST)
    aged = ("XCLAIM", MAIL.ready[4], "workers", HOST, 0, "1-1", "IDLE", 60_000, "JUSTID")
    cluster.run(Command(MAIL.slot, aged))
    aged_other = ("XCLAIM", MAIL.ready[4], "workers", OTHER_HOST, 0, "2-1", "IDLE", 60_000, "JUSTID")
    cluster.run(Command(MAIL.slot, aged_other))
    reply = cluster.run(claim.renew_command(MAIL, HOST, {5: [b"1-1", b"2-1", b"9-9"], 0: [b"1-1"]}))
    assert reply == [b"renewed", [5, b"2-1", 5, b"9-9"], []]
    old = recover.leases(cluster, MAIL, 30_000).leases
    assert [(one.stream, one.id, one.consumer) for one in old] == [(5, b"2-1", OTHER_HOST)]


def test_a_delivery_is_not_counted(cluster: Cluster) -> None:
    opened(cluster)
    add(cluster, "1-1")
    lease(cluster)
    cluster.run(claim.renew_command(MAIL, HOST, {5: [b"1-1"]}))
    ((_, _, _, deliveries),) = cluster.run(
        Command(MAIL.slot, ("XPENDING", MAIL.ready[4], "workers", "-", "+", 9))
    )
    assert deliveries == 1


def test_thousands_fit_in_one_call(cluster: Cluster) -> None:
    opened(cluster)
    held = [add(cluster, f"{place}-1") for place in range(1, 1501)]
    lease(cluster, 1500)
    assert cluster.run(claim.renew_command(MAIL, HOST, {5: held})) == [b"renewed", [], []]

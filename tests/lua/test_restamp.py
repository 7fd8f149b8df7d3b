"""restamp: leases that a clock has left which was ahead begin now; nothing else changes."""

import struct

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import recover
from support.keyspace import HOST, MAIL, OTHER_HOST, add, lease, now_ms, opened, snapshot
from support.servers import ClusterServers
from support.waiting import until

HOUR_MS = 3_600_000
STREAM = MAIL.ready[4]


def delivered_ahead(cluster: Cluster, by_ms: int) -> None:
    """As if the node's clock had been ahead by so much when the leases were taken. XCLAIM takes no such
    time, so it is changed in the bytes of the key."""
    until(lambda: bool(recover.leases(cluster, MAIL, 5).leases), "a delivery that is some ms old")
    payload = cluster.run(Command(MAIL.slot, ("DUMP", STREAM)))[:-8]
    for one in recover.leases(cluster, MAIL, 0).leases:
        for at_ms in range(one.delivered_ms - 2, one.delivered_ms + 3):
            payload = payload.replace(struct.pack("<q", at_ms), struct.pack("<q", at_ms + by_ms))
    payload += struct.pack("<Q", crc64(payload))
    cluster.run(Command(MAIL.slot, ("RESTORE", STREAM, 0, payload, "REPLACE")))


def crc64(data: bytes) -> int:
    """As in a server's dumps (Jones, reflected)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x95AC9329AC4BC9B5 if crc & 1 else 0)
    return crc


def test_a_lease_of_the_future_begins_now_and_keeps_its_owner(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    opened(cluster)
    for place, consumer in ((1, HOST), (2, OTHER_HOST)):
        add(cluster, f"{place}-1")
        lease(cluster, consumer=consumer)
    delivered_ahead(cluster, HOUR_MS)
    before = snapshot(cluster_servers)
    assert recover.leases(cluster, MAIL, 1).leases == [], "nobody sees them for an hour"
    began_ms = now_ms(cluster)
    assert recover.restamp(cluster, MAIL) == 2
    assert snapshot(cluster_servers) == before
    until(lambda: len(recover.leases(cluster, MAIL, 1).leases) == 2, "leases that grow older")
    found = recover.leases(cluster, MAIL, 1).leases
    assert [one.consumer for one in found] == [HOST, OTHER_HOST]
    assert all(began_ms - 2 <= one.delivered_ms <= now_ms(cluster) for one in found)


def test_a_lease_that_grows_older_goes_on_doing_so(cluster: Cluster) -> None:
    opened(cluster)
    add(cluster, "1-1")
    lease(cluster)
    until(lambda: bool(recover.leases(cluster, MAIL, 5).leases), "a delivery that is some ms old")
    (before,) = recover.leases(cluster, MAIL, 0).leases
    assert recover.restamp(cluster, MAIL) == 0
    assert recover.leases(cluster, MAIL, 0).leases[0].same_as(before)


def test_an_unopened_partition_has_none(cluster: Cluster) -> None:
    assert recover.restamp(cluster, MAIL) == 0

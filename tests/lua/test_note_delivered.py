"""note_delivered: a delivery that is owed no more is forgotten with the ops of producers, not before."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.jid import mint
from ganger.job import NewJob
from ganger.operations import enqueue, upkeep
from ganger.parcel import Parcel
from support.keyspace import MAIL, now_ms, opened, snapshot
from support.servers import ClusterServers


def delivered(cluster: Cluster) -> Parcel:
    made = Parcel(MAIL, 12, 5, tuple(NewJob(jid, "shop.send", b"{}") for jid in mint("mail", 3, 2)))
    assert cluster.run(made.command()) == [b"pushed"]
    return made


def note(cluster: Cluster, *names: str) -> list[bytes | int]:
    found: list[bytes | int] = cluster.run(enqueue.delivered_command(MAIL, names))
    return found


def grow_old(cluster: Cluster) -> None:
    """All that the memo knows happened an hour ago."""
    fields = cluster.run(Command(MAIL.slot, ("HGETALL", MAIL.memo)))
    for name, value in zip(fields[::2], fields[1::2], strict=True):
        if name:
            op, _, rest = value.split(b"|", 2)
            old = b"%s|%d|%s" % (op, now_ms(cluster) - 3_600_000, rest)
            cluster.run(Command(MAIL.slot, ("HSET", MAIL.memo, name, old)))


def test_it_is_known_till_it_is_swept(cluster: Cluster) -> None:
    opened(cluster)
    owed, ticked_off = delivered(cluster), delivered(cluster)
    assert note(cluster, ticked_off.name, "0" * 29) == [b"noted", 1]
    for made in (owed, ticked_off, ticked_off):
        assert cluster.run(made.command()) == [b"repeat"]
    assert note(cluster, ticked_off.name) == [b"noted", 1]
    assert upkeep.sweep_memo(cluster, MAIL) == (0, 0)
    grow_old(cluster)
    assert upkeep.sweep_memo(cluster, MAIL) == (0, 1)
    assert cluster.run(owed.command()) == [b"repeat"]


def test_an_unopened_partition_is_left_alone(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert note(cluster, "0" * 29) == [b"uninitialised"]
    assert snapshot(cluster_servers) == {}

"""sweep_tracks: what is known of an ended job goes when its time is over."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import track
from support.keyspace import MAIL, now_ms, opened, snapshot
from support.servers import ClusterServers


def test_only_what_is_over_goes(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    now = now_ms(cluster)
    old = now - track.MAX_AGE_MS - 60_000
    fields = {
        "e:over": f"{now - 90_000}|60000|succeeded|shop.send|5|-\n",
        "p:over": f"{now - 90_000}|100|done",
        "e:known": f"{now - 30_000}|60000|exhausted|shop.send\n[1]",
        "p:known": f"{now - 90_000}|40|",
        "c:living": f"{now - 90_000}|90000",
        "c:forgotten": f"{old}|90000",
        "p:forgotten": f"{old}|1|",
        "strange": "x",
    }
    words = [word for pair in fields.items() for word in pair]
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.tracks, *words)))
    assert track.sweep(cluster, MAIL) == (0, 4)
    left = {b"", b"e:known", b"p:known", b"c:living", b"strange"}
    after = snapshot(cluster_servers)
    assert set(after[MAIL.tracks]) == left
    assert track.sweep(cluster, MAIL) == (0, 0)
    assert snapshot(cluster_servers) == after


def test_a_partition_that_was_never_opened_has_none(cluster: Cluster) -> None:
    assert track.sweep(cluster, MAIL) == (0, 0)

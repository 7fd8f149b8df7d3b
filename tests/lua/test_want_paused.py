"""want_paused: what shall be paused, since when and why."""

from ganger.cluster import Cluster
from ganger.keys import Control
from ganger.operations import pause
from support.keyspace import now_ms, snapshot
from support.servers import ClusterServers

KEYS = Control("ganger")


def test_the_first_wish_stands_until_it_is_withdrawn(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    wish, fresh = pause.want(cluster, KEYS, "queue", "mail", "the shop moves", deadline_s=5)
    assert fresh and abs(wish.since_ms - now_ms(cluster)) < 60_000 and wish.note == "the shop moves"
    before = snapshot(cluster_servers)
    assert before == {KEYS.paused: {b"mail": f"{wish.since_ms} the shop moves".encode()}}
    assert pause.want(cluster, KEYS, "queue", "mail", "me too", deadline_s=5) == (wish, False)
    assert snapshot(cluster_servers) == before
    pause.want(cluster, KEYS, "type", "shop.send", "", deadline_s=5)
    found = pause.wishes(cluster, KEYS)
    assert (found.queues, list(found.types)) == ({"mail": wish}, ["shop.send"])
    assert pause.unwant(cluster, KEYS, "queue", "mail", deadline_s=5)
    assert not pause.unwant(cluster, KEYS, "queue", "mail", deadline_s=5)
    assert pause.wishes(cluster, KEYS).queues == {}

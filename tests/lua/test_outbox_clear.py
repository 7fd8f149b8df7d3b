"""outbox_clear: what has been delivered goes, unless it says something else by now."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import outbox
from ganger.operations.outbox import Effect
from support.keyspace import MAIL, opened, snapshot
from support.servers import ClusterServers

BOX = outbox.box_of(MAIL)
LONG = "x" * 5000


def test_only_what_still_says_the_same_goes(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    words = ("b:1", "dead", "b:2", "succeeded", "j:1", LONG, "j:2", LONG + "y")
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.outbox, *words)))
    delivered = {"b:1": "dead", "b:2": "dead", "b:3": "dead", "j:1": LONG, "j:2": LONG}
    effects = [Effect(BOX, name.encode(), value.encode()) for name, value in delivered.items()]
    assert outbox.clear(cluster, BOX, effects) == 2
    assert snapshot(cluster_servers)[MAIL.outbox] == {
        b"": b"",
        b"b:2": b"succeeded",
        b"j:2": LONG.encode() + b"y",
    }
    assert outbox.clear(cluster, BOX, effects) == 0


def test_where_there_is_no_outbox_nothing_changes(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert outbox.clear(cluster, BOX, [Effect(BOX, b"b:1", b"dead")]) == 0
    assert snapshot(cluster_servers) == {}

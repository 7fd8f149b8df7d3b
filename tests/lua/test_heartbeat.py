"""heartbeat: who lives, by the node's clock."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.keys import Control
from ganger.operations import control
from support.keyspace import (
    HOST,
    OTHER_HOST,
)


def test_silent_hosts_are_dropped(cluster: Cluster) -> None:
    keys = Control("ganger")
    cluster.run(Command(keys.slot, ("HSET", keys.hosts, OTHER_HOST, "5 {}")))
    at_ms = control.heartbeat(cluster, keys, HOST, {"host": "here", "workers": []})
    (host,) = control.hosts(cluster, keys)
    assert host == control.Host(HOST, at_ms, {"host": "here", "workers": []})
    control.depart(cluster, keys, HOST)
    assert control.hosts(cluster, keys) == []

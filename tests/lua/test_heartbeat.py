"""heartbeat: who lives, by the node's clock."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.keys import Control
from ganger.operations import control
from ganger.unserved import live_hosts
from support.keyspace import HOST, OTHER_HOST, now_ms


def test_silent_hosts_are_dropped(cluster: Cluster) -> None:
    keys = Control("ganger")
    cluster.run(Command(keys.slot, ("HSET", keys.hosts, OTHER_HOST, "5 {}")))
    at_ms = control.heartbeat(cluster, keys, HOST, {"host": "here", "workers": []})
    (host,) = control.hosts(cluster, keys)
    assert host == control.Host(HOST, at_ms, {"host": "here", "workers": []})
    control.depart(cluster, keys, HOST)
    assert control.hosts(cluster, keys) == []


def test_a_stamp_from_before_the_clock_was_set_back_counts_from_now_on(cluster: Cluster) -> None:
    keys = Control("ganger")
    ahead_ms = now_ms(cluster) + 3_600_000
    cluster.run(Command(keys.slot, ("HSET", keys.hosts, OTHER_HOST, f'{ahead_ms} {{"host": "other"}}')))
    at_ms = control.heartbeat(cluster, keys, HOST, {"host": "here"})
    found = {host.incarnation: host for host in control.hosts(cluster, keys)}
    assert found[OTHER_HOST] == control.Host(OTHER_HOST, at_ms, {"host": "other"})
    assert [host.at_ms for host in live_hosts(cluster, keys)] == [at_ms, at_ms]

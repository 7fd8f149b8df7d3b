"""The catalog of queues, as a role remembers it."""

from ganger.cluster import Cluster
from ganger.operations import control
from gangerd.roles.queues import Queues
from support.jobs import KEYS
from support.servers import ClusterServers


def test_a_catalog_that_was_lost_is_put_back_as_it_was(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    control.register_queue(cluster, KEYS, "mail", 3)
    control.register_queue(cluster, KEYS, "video", 7)
    queues = Queues(cluster, KEYS)
    assert queues.refresh()
    cluster_servers.flush()
    assert not queues.refresh()
    assert control.queues(cluster, KEYS) == {"mail": 3, "video": 7}
    control.register_queue(cluster, KEYS, "audio", 2)
    assert queues.refresh()
    assert queues.counts == {"mail": 3, "video": 7, "audio": 2}

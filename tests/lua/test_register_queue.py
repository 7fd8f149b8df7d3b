"""register_queue: the first caller's number of partitions holds."""

from ganger.cluster import Cluster
from ganger.keys import Control
from ganger.operations import control


def test_the_first_number_holds(cluster: Cluster) -> None:
    keys = Control("ganger")
    assert control.register_queue(cluster, keys, "mail", 4) == 4
    assert control.register_queue(cluster, keys, "mail", 12) == 4
    assert control.register_queue(cluster, keys, "slow") == 12
    assert control.queues(cluster, keys) == {"mail": 4, "slow": 12}

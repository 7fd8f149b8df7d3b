"""lead: one leader at a time, for a time."""

from ganger.cluster import Cluster
from ganger.keys import Control
from ganger.operations import control
from support.keyspace import (
    HOST,
    OTHER_HOST,
)


def test_the_holder_stays_and_the_others_follow(cluster: Cluster) -> None:
    keys = Control("ganger")
    assert control.lead(cluster, keys, HOST, 60_000).held
    assert control.lead(cluster, keys, HOST, 60_000).held
    other = control.lead(cluster, keys, OTHER_HOST, 60_000)
    assert (other.held, other.holder) == (False, HOST)
    assert 0 < other.ttl_ms <= 60_000

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


def test_a_time_that_a_clock_set_back_has_made_long_begins_anew(cluster: Cluster) -> None:
    """The holder died while the clock was ahead by an hour."""
    keys = Control("ganger")
    control.lead(cluster, keys, OTHER_HOST, 3_603_000)
    told = control.lead(cluster, keys, HOST, 3_000)
    assert (told.held, told.holder) == (False, OTHER_HOST) and 0 < told.ttl_ms <= 3_000
    assert not control.lead(cluster, keys, HOST, 3_000).held, "the holder may live, and ask again"
    assert control.lead(cluster, keys, OTHER_HOST, 3_000).held

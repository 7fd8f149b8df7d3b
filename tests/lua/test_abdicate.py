"""abdicate: the leader may stop, and nobody else can make it."""

from ganger.cluster import Cluster
from ganger.keys import Control
from ganger.operations import control
from support.keyspace import (
    HOST,
    OTHER_HOST,
)


def test_only_the_leader_s_word_counts(cluster: Cluster) -> None:
    keys = Control("ganger")
    control.lead(cluster, keys, HOST, 60_000)
    assert not control.abdicate(cluster, keys, OTHER_HOST)
    assert control.abdicate(cluster, keys, HOST)
    assert control.lead(cluster, keys, OTHER_HOST, 60_000).held

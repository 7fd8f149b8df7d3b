"""note_crash: a late verdict is kept under the jid, once per death."""

from typing import Any

from ganger.cluster import Cluster
from support.keyspace import (
    MAIL,
    opened,
    run,
    snapshot,
)
from support.servers import ClusterServers


def note(cluster: Cluster, death: str) -> Any:
    return run(cluster, "note_crash", (MAIL.meta, MAIL.memo), "j1", death)


def test_each_death_counts_once(cluster: Cluster) -> None:
    opened(cluster)
    assert [note(cluster, death) for death in ("d1", "d2", "d1")] == [
        [b"noted", 1],
        [b"noted", 2],
        [b"noted", 2],
    ]


def test_an_unopened_partition_is_left_alone(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert note(cluster, "d1") == [b"uninitialised"]
    assert snapshot(cluster_servers) == {}

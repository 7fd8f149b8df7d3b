"""once_end: the holder's outcome is kept, nobody else's is touched."""

from typing import Any

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.keys import OnceMark
from ganger.scripts import script
from support.keyspace import snapshot
from support.servers import ClusterServers

MARK = OnceMark("ganger", "charge:42")


def call(cluster: Cluster, name: str, *args: Any) -> Any:
    return cluster.run(script(name).command(MARK.slot, (MARK.mark,), args))


def begin(cluster: Cluster, token: str = "t1") -> None:
    assert call(cluster, "once_begin", token, "j1", "5-1", 1, 60_000, 90_000, 1)[0] == b"begun"


def expected(state: bytes, value: bytes) -> dict[bytes, Any]:
    about = {b"state": state, b"token": b"t1", b"jid": b"j1", b"entry": b"5-1", b"attempt": b"1"}
    return {MARK.mark: {**about, b"until": b"0", b"value": value, b"earlier": b""}}


@pytest.mark.parametrize("state", ["done", "failed"])
def test_the_outcome_is_kept_for_its_time(
    cluster: Cluster, cluster_servers: ClusterServers, state: str
) -> None:
    begin(cluster)
    assert call(cluster, "once_end", "t1", "j1", "5-1", 1, state, "=[1,2]", 500_000) == [b"kept"]
    assert snapshot(cluster_servers) == expected(state.encode(), b"=[1,2]")
    assert 490_000 < int(cluster.run(Command(MARK.slot, ("PTTL", MARK.mark)))) <= 500_000


def test_a_repeat_writes_the_same(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    begin(cluster)
    for _ in range(2):
        assert call(cluster, "once_end", "t1", "j1", "5-1", 1, "done", "=1", 90_000) == [b"kept"]
        assert snapshot(cluster_servers) == expected(b"done", b"=1")


def test_another_holder_s_mark_stays(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    begin(cluster, "t2")
    before = snapshot(cluster_servers)
    assert call(cluster, "once_end", "t1", "j1", "5-1", 1, "done", "=1", 90_000) == [b"lost"]
    assert snapshot(cluster_servers) == before


def test_a_mark_that_has_run_out_is_written_anew(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert call(cluster, "once_end", "t1", "j1", "5-1", 1, "done", "=1", 90_000) == [b"kept"]
    assert snapshot(cluster_servers) == expected(b"done", b"=1")

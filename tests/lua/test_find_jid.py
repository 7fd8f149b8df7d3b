"""find_jid: a chunk of a stream is searched for a jid."""

from ganger.cluster import Cluster
from support.keyspace import (
    MAIL,
    add,
    opened,
    run,
)


def test_it_goes_on_where_it_stopped(cluster: Cluster) -> None:
    opened(cluster)
    for place in range(1, 6):
        add(cluster, f"{place}-1", f"j{place}")
    keys = (MAIL.meta, MAIL.ready[4])
    assert run(cluster, "find_jid", keys, "j4", "-", 2) == [b"next", b"2-1"]
    assert run(cluster, "find_jid", keys, "j4", "(2-1", 2)[:2] == [b"found", b"4-1"]
    assert run(cluster, "find_jid", keys, "j9", "(4-1", 2) == [b"absent"]

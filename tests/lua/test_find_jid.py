"""find_jid: a chunk of a stream is searched for a jid."""

from ganger.cluster import Cluster
from support.keyspace import MAIL, add, opened, run


def test_it_goes_on_where_it_stopped(cluster: Cluster) -> None:
    opened(cluster)
    for place in range(1, 6):
        add(cluster, f"{place}-1", f"j{place}")
    keys = (MAIL.meta, MAIL.ready[4])
    assert run(cluster, "find_jid", keys, "j4", "-", "+", 2) == [b"next", b"2-1"]
    assert run(cluster, "find_jid", keys, "j4", "(2-1", "+", 2)[:2] == [b"found", b"4-1"]
    assert run(cluster, "find_jid", keys, "j9", "(4-1", "+", 2) == [b"absent"]
    assert run(cluster, "find_jid", keys, "j4", "-", "(4-1", 9) == [b"absent"]


def test_a_chunk_of_big_jobs_is_a_small_one(cluster: Cluster) -> None:
    """The node would hand a gigabyte to a script that looks at a thousand of them."""
    opened(cluster)
    for place in range(1, 101):
        add(cluster, f"{place}-1", f"j{place}", b="x" * (1 << 18))
    keys, start, trips = (MAIL.meta, MAIL.ready[4]), "-", 0
    while (reply := run(cluster, "find_jid", keys, "j100", start, "+", 1000))[0] == b"next":
        start, trips = f"({reply[1].decode()}", trips + 1
    assert (reply[0], reply[1]) == (b"found", b"100-1")
    assert trips >= 1


def test_a_chunk_of_small_jobs_is_searched_whole(cluster: Cluster) -> None:
    opened(cluster)
    for place in range(1, 201):
        add(cluster, f"{place}-1", f"j{place}")
    keys = (MAIL.meta, MAIL.ready[4])
    assert run(cluster, "find_jid", keys, "j200", "-", "+", 1000)[:2] == [b"found", b"200-1"]
    assert run(cluster, "find_jid", keys, "j200", "-", "+", 150) == [b"next", b"150-1"]
    assert run(cluster, "find_jid", keys, "j0", "-", "+", 1000) == [b"absent"]

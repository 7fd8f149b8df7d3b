"""skip: what waits since before an instant ends unrun; its lock is freed, its batch told, and it is kept."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import replay
from ganger.operations.replay import Count, Step
from support.history import RUN, names, retaining, rows
from support.keyspace import MAIL, add, counter, lease, opened, snapshot, unstamped
from support.servers import ClusterServers


def skip(
    cluster: Cluster, to_ms: int, stream: int = 5, cursor: bytes = b"", limit: int = 250, type: str = ""
) -> Step:
    command = replay.skip_command(MAIL, stream, RUN, to_ms, type=type, cursor=cursor, limit=limit)
    return replay.parse_step(cluster.run(command), MAIL)


def test_only_what_waits_since_before(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    retaining(cluster)
    for at in (1000, 1500, 2000, 3000):
        add(cluster, f"{at}-7", f"j{at}", s="[1]" if at == 1500 else "")
    lease(cluster)
    assert skip(cluster, 2000) == Step(1, b"")
    found = snapshot(cluster_servers)
    assert names(found, MAIL.ready[4]) == ["j1000", "j2000", "j3000"]
    assert len(found[MAIL.ready[4]][1]) == 1, "what somebody holds is his"
    assert rows(found, MAIL.log) == [
        {
            b"j": b"j1500",
            b"t": b"shop.send",
            b"b": b"r%s\n{}" % RUN.encode(),
            b"s": b"[1]",
            b"p": b"5",
            b"h": b"skipped",
        }
    ]
    assert counter(cluster, "skipped") == 1
    assert skip(cluster, 2000) == Step(1, b"")
    assert unstamped(snapshot(cluster_servers)) == unstamped(found)


def test_its_end_pays_what_the_job_owes(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "careful", "1")))
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.locks, "d1", "j1|99")))
    add(cluster, "1-1", "j1", stream=0, b="ud1 b0k:3 t1000\n{}", p="9")
    assert skip(cluster, 5, stream=0) == Step(1, b"")
    found = snapshot(cluster_servers)
    assert found[MAIL.locks] == {b"": b""}
    assert found[MAIL.outbox] == {b"": b"", b"b:0k:3": b"skipped j1"}
    assert found[MAIL.tracks][b"e:j1"].endswith(b"|1000|skipped|shop.send\n")
    assert found[MAIL.log] == ([], []), "this queue retains nothing"


def test_in_chunks_and_of_one_type(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    retaining(cluster)
    for at in range(1, 10):
        add(cluster, f"{at}-1", f"j{at}", t="shop.bill" if at % 3 == 0 else "shop.send")
    before = snapshot(cluster_servers)
    command = replay.skip_command(MAIL, 5, RUN, 8, type="shop.send", count=True)
    assert replay.parse_count(cluster.run(command), MAIL) == Count(5, 1, 7, {"shop.send": 5}, b"")
    assert snapshot(cluster_servers) == before
    step = skip(cluster, 8, limit=2, type="shop.send")
    assert step == Step(2, b"2-1")
    assert skip(cluster, 8, cursor=step.cursor, type="shop.send") == Step(5, b"")
    assert names(snapshot(cluster_servers), MAIL.ready[4]) == ["j3", "j6", "j8", "j9"]


def test_a_run_that_is_being_undone_skips_no_more(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    retaining(cluster)
    add(cluster, "1-1", "j1")
    cluster.run(replay.unskip_command(MAIL, RUN))
    before = snapshot(cluster_servers)
    assert skip(cluster, 5).closed
    assert snapshot(cluster_servers) == before


def test_an_unopened_partition_is_left_alone(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert skip(cluster, 5) == Step(0, b"")
    assert snapshot(cluster_servers) == {}

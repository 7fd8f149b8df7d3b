"""replay_undo: what a run brought back and nobody has begun returns to the log as it was; the rest stays."""

from typing import Literal

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import claim, replay
from ganger.operations.replay import Step
from support.history import ALL, OTHER_RUN, RUN, ended, names, retaining, rows, usual
from support.keyspace import HOST, MAIL, WORKER, add, counter, opened, snapshot, unstamped
from support.servers import ClusterServers


def undo(
    cluster: Cluster, stream: int = 5, cursor: bytes = b"", target: Literal["log", "gone"] = "log"
) -> Step:
    command = replay.undo_command(MAIL, stream, RUN, target, cursor)
    return replay.parse_step(cluster.run(command), MAIL)


def again(cluster: Cluster, run: str = RUN) -> Step:
    return replay.parse_step(cluster.run(replay.replay_command(MAIL, run, ALL)), MAIL)


def test_what_waits_returns_with_the_end_that_it_had(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    retaining(cluster)
    made = [ended(cluster, at, body="uab\n{}", how="exhausted", priority=7) for at in (1000, 2000)]
    again(cluster)
    assert undo(cluster, 7) == Step(2, b"")
    found = snapshot(cluster_servers)
    assert found[MAIL.ready[6]] == ([], [])
    assert rows(found, MAIL.log) == [
        {
            b"j": jid.encode(),
            b"t": b"shop.send",
            b"b": b"uab\n{}",
            b"s": b"",
            b"p": b"7",
            b"h": b"exhausted",
            b"e": at,
        }
        for jid, at in zip(made, (b"1000", b"2000"), strict=True)
    ]
    assert counter(cluster, "replayed") == 0
    assert undo(cluster, 7) == Step(2, b"")
    assert unstamped(snapshot(cluster_servers)) == unstamped(found)


def test_what_has_begun_or_is_another_s_stays(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    retaining(cluster)
    ended(cluster, 1000)
    again(cluster)
    claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=1)
    other = ended(cluster, 1001)
    again(cluster, OTHER_RUN)
    add(cluster, f"{1 << 45}-1", "tried", b=f"r{RUN}:5:succeeded\n{{}}", s="[1]")
    add(cluster, f"{1 << 45}-2", "plain")
    before = snapshot(cluster_servers)
    assert undo(cluster) == Step(0, b"")
    found = snapshot(cluster_servers)
    assert found[MAIL.ready[4]] == before[MAIL.ready[4]]
    assert names(found, MAIL.ready[4])[1:] == [other, "tried", "plain"]
    assert again(cluster).closed, "and the run does no more here"


def test_what_was_given_back_unrun_returns_too(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    retaining(cluster)
    add(cluster, "7-1", "j1", stream=0, b=f"r{RUN}:5:succeeded\n{{}}", s="", p="3")
    assert undo(cluster, 0) == Step(1, b"")
    assert rows(snapshot(cluster_servers), MAIL.log)[0][b"p"] == b"3"


def test_an_undone_job_is_found_by_its_old_end(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    retaining(cluster)
    jid = ended(cluster, 1000)
    ended(cluster, 3000)
    again(cluster)
    undo(cluster)
    command = replay.replay_command(MAIL, OTHER_RUN, usual(500, 1500))
    assert replay.parse_step(cluster.run(command), MAIL).total == 1
    assert names(snapshot(cluster_servers), MAIL.ready[4]) == [jid]


def test_a_long_stream_takes_several_calls(cluster: Cluster) -> None:
    retaining(cluster)
    for at in range(600):
        ended(cluster, at + 1)
    step = Step(0, b"")
    while step.total == 0 or step.cursor:
        step = replay.parse_step(cluster.run(replay.replay_command(MAIL, RUN, ALL, step.cursor)), MAIL)
    steps: list[int] = []
    cursor = b""
    while not steps or cursor:
        step = undo(cluster, cursor=cursor)
        cursor = step.cursor
        steps.append(step.total)
    assert steps[:2] == [100, 200] and steps[-1] == 600


def test_a_copy_goes_away_and_is_counted(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    add(cluster, "7-1", "j1", b=f"r{RUN}\n{{}}")
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "enqueued", "1")))
    assert undo(cluster, target="gone") == Step(1, b"")
    found = snapshot(cluster_servers)
    assert found[MAIL.ready[4]] == found[MAIL.log] == ([], [])
    assert counter(cluster, "cancelled") == 1


def test_an_unopened_partition_is_left_alone(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert undo(cluster) == Step(0, b"")
    assert snapshot(cluster_servers) == {}

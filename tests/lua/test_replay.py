"""replay: ended jobs of the log run again, each once; or are counted; or wait as before they were skipped."""

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import claim, replay
from ganger.operations.replay import Choice, Count, Step
from support.history import ALL, OTHER_RUN, RUN, ended, names, retaining, rows, usual
from support.keyspace import HOST, MAIL, WORKER, counter, opened, snapshot, unstamped
from support.servers import ClusterServers


def again(
    cluster: Cluster, choice: Choice = ALL, cursor: bytes = b"", limit: int = 250, run: str = RUN
) -> Step:
    command = replay.replay_command(MAIL, run, choice, cursor, limit)
    return replay.parse_step(cluster.run(command), MAIL)


def test_what_ended_runs_again_as_new(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    retaining(cluster)
    first = ended(
        cluster, 1000, state="[3,1]", body=b'x5 uab s b0k:1 t9\n{"args":[9007199254740993]}', priority=8
    )
    second = ended(cluster, 2000, how="exhausted")
    told = (f"e:{first}", "1|9|succeeded", f"p:{first}", "1|50|half", f"e:{second}", "1|9|exhausted")
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.tracks, *told)))
    assert again(cluster) == Step(2, b"")
    found = snapshot(cluster_servers)
    assert list(found[MAIL.tracks]) == [b"", f"e:{second}".encode()], "whose end was told is at work again"
    assert found[MAIL.log] == ([], [])
    assert rows(found, MAIL.ready[7]) == [
        {
            b"j": first.encode(),
            b"t": b"shop.send",
            b"b": b'uab s b0k:1 t9 r%s:1000:succeeded\n{"args":[9007199254740993]}' % RUN.encode(),
        }
    ]
    assert rows(found, MAIL.ready[4])[0][b"b"] == b"r%s:2000:exhausted\n{}" % RUN.encode()
    assert names(found, MAIL.ready[4]) == [second]
    assert counter(cluster, "replayed") == 2
    assert found[MAIL.meta][b"drained"] == b"0"


def test_a_call_that_is_repeated_moves_nothing_twice(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    retaining(cluster)
    made = [ended(cluster, at) for at in range(1, 8)]
    step = again(cluster, limit=3)
    assert (step.total, step.cursor) == (3, b"3-1")
    assert again(cluster, limit=3).total == 6, "the same cursor again: the next three"
    assert again(cluster, cursor=step.cursor) == Step(7, b"")
    after = snapshot(cluster_servers)
    assert names(after, MAIL.ready[4]) == made
    assert again(cluster) == Step(7, b"")
    assert unstamped(snapshot(cluster_servers)) == unstamped(after)


def test_only_what_was_chosen(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    retaining(cluster)
    ended(cluster, 999)
    mine = ended(cluster, 1000)
    ended(cluster, 1001, type="shop.bill")
    ended(cluster, 1002, how="expired")
    skipped = ended(cluster, 1003, how="skipped")
    ended(cluster, 2000)
    undone = ended(cluster, 9000, was_ms=1500)
    ended(cluster, 9001, was_ms=2500)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.memo, "undone", "9001")))
    assert again(cluster, usual(1000, 2000, type="shop.send")) == Step(3, b"")
    found = snapshot(cluster_servers)
    assert names(found, MAIL.ready[4]) == [mine, skipped, undone]
    assert rows(found, MAIL.ready[4])[2][b"b"] == b"r%s:1500:succeeded\n{}" % RUN.encode()
    assert len(rows(found, MAIL.log)) == 5


def test_what_a_run_brought_back_is_not_its_own_again(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    retaining(cluster)
    ended(cluster, 1000, body=f"r{RUN}:500:succeeded\n{{}}")
    before = snapshot(cluster_servers)
    assert again(cluster).total == 0
    assert snapshot(cluster_servers)[MAIL.log] == before[MAIL.log]
    assert again(cluster, run=OTHER_RUN).total == 1
    found = snapshot(cluster_servers)
    assert rows(found, MAIL.ready[4])[0][b"b"] == b"r%s:1000:succeeded\n{}" % OTHER_RUN.encode()


def test_a_job_in_flight_is_not_delivered_again(cluster: Cluster) -> None:
    retaining(cluster)
    jid = ended(cluster, 1000)
    again(cluster)
    got = claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=1)
    assert [entry.jid for entry in got.entries] == [jid]
    assert again(cluster, run=OTHER_RUN).total == 0
    assert claim.claim(cluster, MAIL, HOST, WORKER, 2, budget_us=1).entries == []


def test_counting_moves_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    retaining(cluster)
    for at in range(1000, 1010):
        ended(cluster, at, type="shop.bill" if at % 2 else "shop.send")
    before = snapshot(cluster_servers)
    first = replay.parse_count(cluster.run(replay.count_command(MAIL, RUN, ALL, limit=4)), MAIL)
    assert first == Count(4, 1000, 1003, {"shop.send": 2, "shop.bill": 2}, b"1003-1")
    rest = replay.parse_count(cluster.run(replay.count_command(MAIL, RUN, ALL, first.cursor)), MAIL)
    assert (rest.count, rest.first_ms, rest.last_ms, rest.cursor) == (6, 1004, 1009, b"")
    assert snapshot(cluster_servers) == before


def test_what_was_skipped_waits_again_as_it_did(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    retaining(cluster)
    jid = ended(cluster, 1000, how="skipped", body=f"x99 r{RUN}\n{{}}", state="[2]")
    ended(cluster, 1001, how="skipped", body=f"r{OTHER_RUN}\n{{}}")
    assert replay.parse_step(cluster.run(replay.unskip_command(MAIL, RUN)), MAIL) == Step(1, b"")
    found = snapshot(cluster_servers)
    assert rows(found, MAIL.ready[4]) == [
        {b"j": jid.encode(), b"t": b"shop.send", b"b": b"x99\n{}", b"s": b"[2]"}
    ]
    assert len(rows(found, MAIL.log)) == 1
    assert counter(cluster, "replayed") == 1
    assert found[MAIL.memo][f"y:{RUN}".encode()].endswith(b"|1x")


def test_a_run_that_is_being_undone_is_refused(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    retaining(cluster)
    ended(cluster, 1000)
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.memo, f"y:{RUN}", "7|5|2x")))
    before = snapshot(cluster_servers)
    assert again(cluster) == Step(7, b"", closed=True)
    assert snapshot(cluster_servers) == before


def test_big_jobs_go_a_few_at_a_time(cluster: Cluster) -> None:
    retaining(cluster)
    for at in range(1, 13):
        ended(cluster, at, body=b"x" * (1 << 20))
    step = again(cluster)
    assert 3 <= step.total < 8 and step.cursor


@pytest.mark.parametrize("open_first", [False, True])
def test_where_nothing_is_nothing_happens(
    cluster: Cluster, cluster_servers: ClusterServers, open_first: bool
) -> None:
    if open_first:
        opened(cluster)
    before = snapshot(cluster_servers)
    assert again(cluster) == Step(0, b"")
    found = snapshot(cluster_servers)
    found.get(MAIL.memo, {}).pop(f"y:{RUN}".encode(), None)
    assert found == before

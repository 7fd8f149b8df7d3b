"""unpark: parked jobs wait again, before others of their priority and in their order."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import claim, pause
from ganger.operations.pause import Held, Unparked
from support.keyspace import HOST, MAIL, WORKER, add, opened, snapshot
from support.servers import ClusterServers

COSTS = claim.pack_costs({"a": 1, "b": 1, "shop.send": 1})


def change(cluster: Cluster, *edits: tuple[str, str]) -> str:
    return pause.parse_change(cluster.run(pause.change_command(MAIL, edits)), MAIL).changes


def take(cluster: Cluster, op: int) -> list[str]:
    return [
        entry.jid
        for entry in claim.claim(cluster, MAIL, HOST, WORKER, op, budget_us=10**9, costs=COSTS).entries
    ]


def unpark(cluster: Cluster, debt: str, after: bytes = b"", limit: int = 200) -> Unparked:
    return pause.parse_unpark(cluster.run(pause.unpark_command(MAIL, debt, after, limit)), MAIL)


def debt(cluster: Cluster) -> str:
    return pause.parse_held(cluster.run(pause.held_command(MAIL))).debt


def parked(cluster: Cluster) -> None:
    """Four jobs of a, one of b, parked by claims; one of neither behind them, claimed."""
    opened(cluster)
    change(cluster, ("+", "a"), ("+", "b"))
    for place, (kind, stream) in enumerate((("a", 5), ("b", 5), ("a", 9), ("a", 5), ("a", 5)), start=1):
        add(cluster, f"{place}-1", f"{kind}{place}", stream=stream, t=kind, b='{"n":9007199254740993}')
    add(cluster, "9-1", "other")
    assert take(cluster, 1) == ["other"]


def test_they_come_back_first_and_in_order_but_for_types_still_paused(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    parked(cluster)
    add(cluster, "10-1", "young", t="shop.send")
    owed = change(cluster, ("-", "a"))
    assert debt(cluster) == owed
    assert unpark(cluster, owed) == Unparked(4, b"")
    assert debt(cluster) == ""
    found = snapshot(cluster_servers)
    assert [row[b"j"] for _, row in found[MAIL.parked][0]] == [b"b2"]
    assert {row[b"b"] for _, row in found[MAIL.returned][0]} == {b'{"n":9007199254740993}'}
    assert take(cluster, 2) == ["a3", "a1", "a4", "a5", "young"]


def test_chunk_by_chunk_and_the_debt_is_paid_at_the_end(cluster: Cluster) -> None:
    parked(cluster)
    owed = change(cluster, ("-", "a"))
    first = unpark(cluster, owed, limit=2)
    assert first.moved == 2 and first.after and debt(cluster) == owed
    second = unpark(cluster, owed, first.after, limit=2)
    assert second.moved == 1 and second.after
    assert unpark(cluster, owed, second.after, limit=2) == Unparked(1, b"")
    assert debt(cluster) == ""


def test_a_debt_made_anew_meanwhile_stays(cluster: Cluster) -> None:
    parked(cluster)
    owed = change(cluster, ("-", "a"))
    first = unpark(cluster, owed, limit=3)
    newer = change(cluster, ("-", "b"))
    while first.after:
        first = unpark(cluster, owed, first.after, limit=2)
    assert debt(cluster) == newer
    assert unpark(cluster, newer).moved == 1


def test_a_repeat_moves_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    parked(cluster)
    owed = change(cluster, ("-", "a"))
    unpark(cluster, owed)
    before = snapshot(cluster_servers)
    assert unpark(cluster, owed) == Unparked(0, b"")
    assert snapshot(cluster_servers) == before


def test_what_is_no_job_comes_back_as_it_is(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    change(cluster, ("+", "a"))
    cluster.run(Command(MAIL.slot, ("XADD", MAIL.parked, "1-1", "no", "job")))
    assert unpark(cluster, "").moved == 1
    assert len(snapshot(cluster_servers)[MAIL.returned][0]) == 1


def test_an_unopened_partition_has_nothing_parked(cluster: Cluster) -> None:
    assert unpark(cluster, "") == Unparked(0, b"")
    assert pause.parse_held(cluster.run(pause.held_command(MAIL))) == Held(unopened=True)

"""pause: what a partition holds back, and who hears when it is handed out again."""

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.operations import claim, look, pause
from ganger.operations.pause import EVERYTHING, Changed, Held
from support.children import readable
from support.keyspace import HOST, MAIL, WORKER, add, opened, snapshot
from support.servers import ClusterServers
from support.waiting import until


def change(cluster: Cluster, *edits: tuple[str, str], seen: str = "") -> Changed:
    return pause.parse_change(cluster.run(pause.change_command(MAIL, edits, seen)), MAIL)


def held(cluster: Cluster) -> Held:
    return pause.parse_held(cluster.run(pause.held_command(MAIL)))


def meta(cluster: Cluster, *fields: str) -> list[bytes | None]:
    found: list[bytes | None] = cluster.run(Command(MAIL.slot, ("HMGET", MAIL.meta, *fields)))
    return found


def peek(cluster: Cluster) -> int:
    return look.parse_peek(cluster.run(look.peek_command(MAIL)), MAIL).highest


def test_a_paused_partition_hands_out_nothing_until_it_is_resumed(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    opened(cluster)
    add(cluster, "1-1")
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "drained", "0")))
    assert change(cluster, ("+", EVERYTHING)) == Changed(True, "1", 0)
    before = snapshot(cluster_servers)
    assert before[MAIL.meta] | {b"paused": b"1", b"pauses": b"1"} == before[MAIL.meta]
    assert claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=1).entries == []
    assert peek(cluster) == 0
    assert snapshot(cluster_servers) == before
    assert change(cluster, ("-", EVERYTHING)) == Changed(True, "2", 0)
    assert b"paused" not in snapshot(cluster_servers)[MAIL.meta]
    assert peek(cluster) == 5
    assert len(claim.claim(cluster, MAIL, HOST, WORKER, 2, budget_us=1).entries) == 1


def test_a_claim_that_is_repeated_answers_the_same_although_the_partition_was_paused_meanwhile(
    cluster: Cluster,
) -> None:
    opened(cluster)
    add(cluster, "1-1")
    first = claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=1)
    change(cluster, ("+", EVERYTHING))
    assert claim.claim(cluster, MAIL, HOST, WORKER, 1, budget_us=1).entries == first.entries


def test_types_are_held_back_and_handed_out_one_by_one(cluster: Cluster) -> None:
    opened(cluster)
    change(cluster, ("+", "shop.send"), ("+", "shop.send.all"), ("+", "shop.send"))
    assert held(cluster) == Held(False, frozenset({"shop.send", "shop.send.all"}), "1")
    assert meta(cluster, "paused_types") == [b"shop.send.all shop.send"]
    change(cluster, ("-", "shop.send"), ("+", EVERYTHING))
    assert held(cluster) == Held(True, frozenset({"shop.send.all"}), "2", debt="2")
    change(cluster, ("-", "shop.send.all"), ("-", EVERYTHING))
    assert held(cluster) == Held(False, frozenset(), "3", debt="3")
    assert meta(cluster, "paused", "paused_types") == [None, None]


def test_a_change_that_was_decided_before_another_is_refused(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    opened(cluster)
    assert change(cluster, ("+", EVERYTHING), seen="0").done
    before = snapshot(cluster_servers)
    assert change(cluster, ("-", EVERYTHING), seen="0") == Changed(False)
    assert snapshot(cluster_servers) == before
    assert change(cluster, ("-", EVERYTHING), seen="1").done


@pytest.mark.parametrize(("stream", "fields"), [(3, {}), (0, {"p": "3"})])
def test_the_coordinators_hear_of_what_waits_when_it_is_handed_out_again(
    cluster: Cluster, stream: int, fields: dict[str, str]
) -> None:
    opened(cluster)
    change(cluster, ("+", EVERYTHING))
    add(cluster, "1-1", stream=stream, **fields)
    node = cluster.node_of(MAIL.slot)
    assert node is not None
    ears = cluster.connection(node)
    ears.ssubscribe([MAIL.wake])
    heard: list[tuple[bytes, bytes]] = []

    def listen() -> bool:
        readable(ears, 0.1)
        heard.extend(ears.read())
        return bool(heard)

    change(cluster, ("-", EVERYTHING))
    until(listen, "the ring")
    assert heard == [(MAIL.wake, b"3")]
    ears.close()
    assert meta(cluster, "drained") == [b"0"]


def test_an_unopened_partition_must_be_opened_first(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    with pytest.raises(Uninitialised):
        change(cluster, ("+", EVERYTHING))
    assert held(cluster) == Held(unopened=True)
    assert snapshot(cluster_servers) == {}

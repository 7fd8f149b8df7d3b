"""batch_add: numbers for members, each together with what makes a member of it."""

import pytest

from ganger import jid as jids
from ganger.cluster import Cluster
from ganger.errors import BatchClosed, BatchNotFound, OutcomeUnknown
from ganger.keys import BatchKeys
from ganger.operations import batch
from ganger.operations.batch import NewEffect
from ganger.scripts import script
from support.batches import add, counts, made, mark, owed, ttl_ms
from support.keyspace import snapshot
from support.servers import ClusterServers


def test_numbers_go_on_and_effects_carry_them(cluster: Cluster) -> None:
    keys = made(cluster)
    for expected in (0, 5):
        jid = jids.mint("mail", 3)[0]
        effects = [NewEffect(f"j{expected}:a", 2, b"x y\n"), NewEffect(f"c{expected}:b", 3, b"")]
        assert batch.parse_add(cluster.run(batch.add_command(keys, jid, effects)), keys) == expected
    assert owed(cluster, keys) == {"j0:a": b"0 x y\n", "c0:b": b"2 ", "j5:a": b"5 x y\n", "c5:b": b"7 "}
    assert counts(cluster, keys) == (10, 0, 0)


def test_the_same_op_again_answers_the_same_numbers(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    keys = made(cluster)
    first, second = jids.mint("mail", 3)[0], jids.mint("mail", 3)[0]
    assert (add(cluster, keys, 3, first), add(cluster, keys, 2, second)) == (0, 3)
    before = snapshot(cluster_servers)
    assert (add(cluster, keys, 3, first), add(cluster, keys, 2, second)) == (0, 3)
    after = snapshot(cluster_servers)
    for found in (before, after):
        found[keys.head].pop(b"active_ms")
    assert after == before


def test_an_op_that_is_too_old_is_refused(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    keys = made(cluster)
    stem = jids.mint("mail", 3)[0][:21]
    add(cluster, keys, 1, stem + jids.encode(64, 5) + "000")
    before = snapshot(cluster_servers)
    with pytest.raises(OutcomeUnknown):
        add(cluster, keys, 1, stem + jids.encode(0, 5) + "000")
    assert snapshot(cluster_servers) == before


def test_a_batch_takes_members_until_its_success(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    keys = made(cluster, "complete", members=2, committed=True)
    add(cluster, keys, 1)
    mark(cluster, keys, {0: "dead", 1: "succeeded", 2: "succeeded"})
    add(cluster, keys, 1)
    assert ttl_ms(cluster, keys) > 0
    mark(cluster, keys, {0: "succeeded", 3: "succeeded"})
    mark(cluster, keys, {"complete": "succeeded"})
    before = snapshot(cluster_servers)
    with pytest.raises(BatchClosed):
        add(cluster, keys, 1)
    assert snapshot(cluster_servers) == before


def test_there_is_a_most(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    keys = made(cluster)
    before = snapshot(cluster_servers)
    for most, count, word in ((3, 4, b"full"), (3, 3, b"added")):
        args = (most, "abcdefg", 1, "z:1", count, "")
        reply = cluster.run(script("batch_add").command(keys.slot, keys.all, args))
        assert reply[0] == word
        if word == b"full":
            assert snapshot(cluster_servers) == before


def test_where_there_is_no_batch_nothing_is_added(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    with pytest.raises(BatchNotFound):
        add(cluster, BatchKeys("ganger", "b-" + "0" * 21), 1)
    assert snapshot(cluster_servers) == {}

"""batch_mark: what ends moves a bit once, and what follows from the counts fires once."""

import random

import pytest

from ganger.cluster import Cluster
from ganger.errors import BatchNotFound
from ganger.keys import BatchKeys
from ganger.operations import batch
from support.batches import add, counts, fired, head, made, mark, owed, ttl_ms
from support.keyspace import snapshot
from support.servers import ClusterServers

PARENT = "b-" + "1" * 21
FAILURES = ("dead", "exhausted", "expired", "cancelled", "skipped")


def test_success_waits_for_the_end_of_the_complete_callback(cluster: Cluster) -> None:
    keys = made(cluster, "complete", "success", members=2, committed=True)
    assert mark(cluster, keys, {0: "succeeded j0"}) == 0
    assert mark(cluster, keys, {1: "succeeded j1"}) == 1
    assert (fired(cluster, keys), owed(cluster, keys)) == ({"complete": "fired"}, {"j": b"shop.complete "})
    mark(cluster, keys, {"complete": "dead c1"})
    assert fired(cluster, keys) == {"complete": "dead", "success": "fired"}
    assert sorted(owed(cluster, keys)["j"].split()) == [b"shop.complete", b"shop.success"]
    mark(cluster, keys, {"success": "succeeded s1"})
    assert fired(cluster, keys) == {"complete": "dead", "success": "succeeded"}
    assert 0 < ttl_ms(cluster, keys) <= 24 * 3600 * 1000


@pytest.mark.parametrize("how", FAILURES)
def test_a_member_that_fails_completes_and_is_no_success(cluster: Cluster, how: str) -> None:
    keys = made(cluster, "complete", "success", "death", members=2, committed=True)
    mark(cluster, keys, {0: "succeeded j0", 1: f"{how} j1"})
    mark(cluster, keys, {"complete": "succeeded c"})
    dies = {"death": "fired"} if how in ("dead", "exhausted") else {}
    assert fired(cluster, keys) == {"complete": "succeeded", **dies}
    assert counts(cluster, keys) == (2, 2, 1)
    assert head(cluster, keys)["f:1"] == f"{how} j1"


def test_a_late_success_of_one_that_had_died_is_one(cluster: Cluster) -> None:
    keys = made(cluster, "success", "death", members=1, committed=True)
    mark(cluster, keys, {0: "dead j0"})
    assert fired(cluster, keys) == {"complete": "none", "death": "fired"}
    mark(cluster, keys, {0: "succeeded j0"})
    assert fired(cluster, keys) == {"complete": "none", "death": "fired", "success": "fired"}
    assert counts(cluster, keys) == (1, 1, 1)
    assert "f:0" not in head(cluster, keys)


def test_a_success_stands(cluster: Cluster) -> None:
    keys = made(cluster, "death", members=2, committed=True)
    mark(cluster, keys, {0: "succeeded"})
    mark(cluster, keys, {0: "dead"})
    assert counts(cluster, keys) == (2, 1, 1)
    assert fired(cluster, keys) == {}


def test_death_fires_at_the_first_also_before_the_commit(cluster: Cluster) -> None:
    keys = made(cluster, "death", members=3)
    mark(cluster, keys, {0: "exhausted", 1: "dead"})
    assert owed(cluster, keys) == {"j": b"shop.death "}


def test_whatever_is_no_member_moves_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    keys = made(cluster, "complete", members=2, committed=True)
    before = snapshot(cluster_servers)
    mark(cluster, keys, {2: "succeeded", 99_999_999_999: "dead"})
    mark(cluster, keys, {"-1": "dead", "0x1": "dead", "total": "9", "": "dead"})
    mark(cluster, keys, {"complete": "succeeded", "state": "open"})
    after = snapshot(cluster_servers)
    for found in (before, after):
        found[keys.head].pop(b"active_ms")
        found[keys.head].pop(b"kept", None)
    assert after == before


def test_added_in_a_callback_it_waits_again(cluster: Cluster) -> None:
    keys = made(cluster, "complete", "success", members=1, committed=True)
    mark(cluster, keys, {0: "succeeded"})
    add(cluster, keys, 1)
    mark(cluster, keys, {"complete": "succeeded"})
    assert fired(cluster, keys) == {"complete": "succeeded"}
    mark(cluster, keys, {1: "succeeded"})
    assert fired(cluster, keys) == {"complete": "succeeded", "success": "fired"}


def nested(cluster: Cluster, *callbacks: str) -> BatchKeys:
    keys = made(cluster, *callbacks, members=1, committed=True)
    cluster.run(batch.adopt_command(keys, f"{PARENT}:7"))
    return keys


def test_a_child_tells_after_its_success_callback(cluster: Cluster) -> None:
    keys = nested(cluster, "success")
    mark(cluster, keys, {0: "succeeded"})
    assert owed(cluster, keys) == {"j": b"shop.success "}
    mark(cluster, keys, {"success": "dead"})
    assert owed(cluster, keys)[f"b:{PARENT}:7"] == b"failed " + keys.bid.encode()
    mark(cluster, keys, {"success": "succeeded"})
    assert owed(cluster, keys)[f"b:{PARENT}:7"] == b"succeeded " + keys.bid.encode()


def test_a_child_that_fails_tells_that_and_its_death(cluster: Cluster) -> None:
    keys = nested(cluster)
    mark(cluster, keys, {0: "dead"})
    told = {f"b:{PARENT}:7": b"failed " + keys.bid.encode(), f"b:{PARENT}:child": b"died"}
    assert owed(cluster, keys) == told
    mark(cluster, keys, {0: "succeeded"})
    assert owed(cluster, keys) == told | {f"b:{PARENT}:7": b"succeeded " + keys.bid.encode()}


def test_a_parent_hears_of_a_death_inside(cluster: Cluster) -> None:
    keys = made(cluster, "death", members=2)
    for _ in range(2):
        mark(cluster, keys, {"child": "died"})
    assert owed(cluster, keys) == {"j": b"shop.death "}
    assert counts(cluster, keys) == (2, 0, 0)


def test_only_so_many_failures_are_kept_by_name(cluster: Cluster) -> None:
    keys = made(cluster, members=150, committed=True)
    mark(cluster, keys, {number: f"expired j{number}" for number in range(150)})
    kept = [name for name in head(cluster, keys) if name.startswith("f:")]
    assert len(kept) == batch.KEPT_FAILURES
    mark(cluster, keys, dict.fromkeys(range(150), "succeeded"))
    assert not [name for name in head(cluster, keys) if name.startswith("f:")]


@pytest.mark.parametrize("seed", range(6))
def test_repeats_in_any_order_count_once(cluster: Cluster, seed: int) -> None:
    """Every end is told up to three times, in any order and any company: the counts are those of the model,
    and each callback fires once."""
    rng = random.Random(seed)
    keys = made(cluster, "complete", "success", "death", members=60, committed=True)
    ends: list[tuple[int, str]] = []
    for number in range(60):
        some = ["succeeded"] if rng.random() < 0.7 else [rng.choice(FAILURES)]
        if some[0] == "dead" and rng.random() < 0.5:
            some.append("succeeded")
        ends += [(number, how) for how in some for _ in range(rng.randint(1, 3))]
    rng.shuffle(ends)
    callbacks: list[bytes] = []
    done: dict[int, bool] = {}
    while ends:
        cut = rng.randint(1, 9)
        step, ends = ends[:cut], ends[cut:]
        for number, how in step:
            done[number] = done.get(number, False) or how == "succeeded"
        mark(cluster, keys, step)
        assert counts(cluster, keys) == (60, len(done), sum(done.values()))
        callbacks = owed(cluster, keys).get("j", b"").split()
        assert len(callbacks) == len(set(callbacks))
    is_complete = b"shop.complete" in callbacks
    assert is_complete == (len(done) == 60)


def test_where_there_is_no_batch_nothing_changes(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    with pytest.raises(BatchNotFound):
        mark(cluster, BatchKeys("ganger", PARENT), {0: "dead"})
    assert snapshot(cluster_servers) == {}

"""Slots: Redis's own hash, and partitions that fall evenly on any number of shards."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganger.cluster import Cluster
from ganger.slots import SLOTS, partition_tag, slot_of


def shard_counts(slots: list[int], shards: int) -> list[int]:
    """How many of the slots each of `shards` equal shards serves."""
    borders = [SLOTS * index // shards for index in range(shards + 1)]
    return [sum(first <= slot < last for slot in slots) for first, last in itertools.pairwise(borders)]


def slots_of(queue: str, count: int) -> list[int]:
    return [slot_of(partition_tag(queue, index, count).encode()) for index in range(count)]


def test_known_slots() -> None:
    # The CRC16 test vector of the Redis Cluster specification, and CLUSTER KEYSLOT of a Redis 7.0.
    assert slot_of(b"123456789") == 0x31C3
    assert slot_of(b"foo") == 12182


def test_slot_of_agrees_with_the_server(cluster: Cluster) -> None:
    node = cluster.nodes()[0]
    for tag in ("control", "mail/0.12.7f", "x"):
        assert cluster.run_on(node, ("CLUSTER", "KEYSLOT", "ns:{" + tag + "}:meta")) == slot_of(tag.encode())


@pytest.mark.parametrize("shards", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 12, 16])
def test_partitions_fall_evenly(count: int, shards: int) -> None:
    for number in range(20):
        counts = shard_counts(slots_of(f"queue-{number}", count), shards)
        assert max(counts) - min(counts) <= 1, (number, counts)


@settings(max_examples=60, deadline=None)
@given(
    queue=st.from_regex(r"[A-Za-z0-9_.:/-]{1,64}", fullmatch=True),
    count=st.integers(1, 48),
    shards=st.integers(1, 40),
)
def test_any_queue_falls_evenly_on_any_number_of_shards(queue: str, count: int, shards: int) -> None:
    counts = shard_counts(slots_of(queue, count), shards)
    assert max(counts) - min(counts) <= 1


def test_small_queues_don_t_all_begin_on_the_first_shard() -> None:
    firsts = [slots_of(f"queue-{number}", 1)[0] for number in range(300)]
    assert min(shard_counts(firsts, 3)) > 60


def test_tags_are_for_ever() -> None:
    # Changing this moves every job of every installation out of reach.
    assert partition_tag("mail", 0, 12) == "mail/0.12.46d"
    assert [partition_tag("mail", index, 3) for index in range(3)] == TAGS_OF_MAIL


TAGS_OF_MAIL = ["mail/0.3.62d", "mail/1.3.726", "mail/2.3.23f"]


def test_a_new_count_shares_no_tag_with_the_old() -> None:
    old = {partition_tag("mail", index, 12) for index in range(12)}
    assert old.isdisjoint({partition_tag("mail", index, 24) for index in range(24)})


@pytest.mark.parametrize(("index", "count"), [(-1, 12), (12, 12), (0, 0), (0, 1025)])
def test_out_of_range(index: int, count: int) -> None:
    with pytest.raises(ValueError, match="index < count"):
        partition_tag("mail", index, count)

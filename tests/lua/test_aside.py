"""aside: which types of a partition wait in lanes, until when."""

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.operations.lanes import EVERY_TYPE, Mark
from support.keyspace import MAIL, now_ms, opened, snapshot
from support.laned import aside, words
from support.servers import ClusterServers


def until(cluster: Cluster) -> dict[str, int]:
    said = cluster.run(Command(MAIL.slot, ("HGET", MAIL.meta, "aside"))).decode().split()
    return {word.partition("=")[0]: int(word.partition("=")[2]) for word in said}


def test_words_are_added_and_prolonged_and_nothing_else_changes(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    opened(cluster)
    before = snapshot(cluster_servers)
    assert aside(cluster, Mark("a", False), ttl_ms=60_000)
    first = until(cluster)
    assert 50_000 < first["a"] - now_ms(cluster) <= 60_000
    assert aside(cluster, Mark("b", True), Mark(EVERY_TYPE, True), ttl_ms=90_000)
    assert until(cluster)["a"] == first["a"]
    assert words(cluster) == "a !b !*"
    assert aside(cluster, Mark("a", False), ttl_ms=120_000)
    assert until(cluster)["a"] > first["a"] + 50_000
    after = snapshot(cluster_servers)
    del after[MAIL.meta][b"aside"]
    assert after == before


def test_a_word_is_never_shortened_and_the_last_says_whether_it_is_keyed(cluster: Cluster) -> None:
    opened(cluster)
    aside(cluster, Mark("a", False), ttl_ms=60_000)
    first = until(cluster)["a"]
    aside(cluster, Mark("a", True), ttl_ms=1)
    assert until(cluster) == {"!a": first}


def test_words_that_are_said_no_more_are_over_at_once(cluster: Cluster) -> None:
    opened(cluster)
    aside(cluster, Mark("a", True), Mark("b", False), ttl_ms=60_000)
    before = until(cluster)
    aside(cluster, Mark("a", False), Mark("never", False), ttl_ms=0)
    after = until(cluster)
    assert after["b"] == before["b"] and after["!a"] <= now_ms(cluster)
    aside(cluster, Mark("a", True), ttl_ms=0)
    assert until(cluster) == after, "and they stay so"


def test_nothing_to_say_says_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    before = snapshot(cluster_servers)
    assert aside(cluster)
    assert snapshot(cluster_servers) == before


def test_an_unopened_partition_cannot_remember(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    with pytest.raises(Uninitialised):
        aside(cluster, Mark("a", False))
    assert snapshot(cluster_servers) == {}


def test_a_partition_that_an_older_version_has_opened_must_be_opened_again(cluster: Cluster) -> None:
    opened(cluster)
    cluster.run(Command(MAIL.slot, ("DEL", MAIL.laned)))
    with pytest.raises(Uninitialised):
        aside(cluster, Mark("a", False))
    opened(cluster)
    assert aside(cluster, Mark("a", False))

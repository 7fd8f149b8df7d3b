"""outbox_page: a walk over all that is owed, a bounded part at a time."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import outbox
from support.keyspace import MAIL, opened, snapshot
from support.servers import ClusterServers

BOX = outbox.box_of(MAIL)


def owe(cluster: Cluster, effects: dict[str, str]) -> None:
    opened(cluster)
    words = [word for pair in effects.items() for word in pair]
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.outbox, *words)))


def walk(cluster: Cluster) -> list[list[outbox.Effect]]:
    pages: list[list[outbox.Effect]] = []
    cursor = 0
    while not pages or cursor:
        cursor, effects = outbox.parse_page(cluster.run(outbox.page_command(BOX, cursor)), BOX)
        pages.append(effects)
    return pages


def test_a_small_outbox_comes_whole_without_its_sentinel(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    owe(cluster, {"b:b-1:0": "dead", "j:x": "- mail"})
    before = snapshot(cluster_servers)
    (page,) = walk(cluster)
    assert {(one.prefix, one.target, one.value) for one in page} == {
        (b"b", b"b-1:0", b"dead"),
        (b"j", b"x", b"- mail"),
    }
    assert snapshot(cluster_servers) == before


def test_a_large_one_comes_in_parts_and_nothing_is_left_out(cluster: Cluster) -> None:
    owe(cluster, {f"b:b-1:{number}": "succeeded" for number in range(2000)})
    pages = walk(cluster)
    assert len(pages) > 3
    assert all(len(page) < 2 * outbox.PAGE for page in pages)
    assert len({effect.name for page in pages for effect in page}) == 2000


def test_big_effects_come_a_few_at_a_time(cluster: Cluster) -> None:
    owe(cluster, {f"j:{number}": "x" * 200_000 for number in range(64)})
    pages = walk(cluster)
    assert len(pages) > 2
    assert len({effect.name for page in pages for effect in page}) == 64


def test_where_there_is_no_outbox_nothing_is_owed(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert walk(cluster) == [[]]
    assert outbox.parse_length(cluster.run(outbox.length_command(BOX))) == 0
    assert snapshot(cluster_servers) == {}

"""A partition with a past: entries of its log as the ends of jobs leave them, at instants of the test's
choice."""

from typing import Any

from ganger import jid as jids
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.keys import Partition
from ganger.operations.replay import Choice
from ganger.replaying.drive import USUAL
from support.keyspace import MAIL, opened

RUN = "1m817826qabc"
OTHER_RUN = "1m817826qxyz"
ALL = Choice(0, 1 << 45)


def retaining(cluster: Cluster, partition: Partition = MAIL) -> None:
    """An open partition that keeps everything."""
    opened(cluster, partition)
    words = ("HSET", partition.meta, "retain", "0|1000000", "careful", "1")
    cluster.run(Command(partition.slot, words))


def ended(
    cluster: Cluster,
    at_ms: int,
    jid: str = "",
    *,
    partition: Partition = MAIL,
    how: str = "succeeded",
    type: str = "shop.send",
    body: str | bytes = "{}",
    state: str = "",
    priority: int = 5,
    was_ms: int | None = None,
) -> str:
    """A job that ended then; `was_ms`: the end of one that an undo has put back. Answers its jid."""
    jid = jid or jids.mint(partition.queue, partition.index)[0]
    words: list[Any] = ["j", jid, "t", type, "b", body, "s", state, "p", priority, "h", how]
    if was_ms is not None:
        words += ["e", was_ms]
    cluster.run(Command(partition.slot, ("XADD", partition.log, f"{at_ms}-1", *words)))
    return jid


def usual(from_ms: int = 0, to_ms: int = 1 << 45, **more: Any) -> Choice:
    return Choice(from_ms, to_ms, hows=USUAL, **more)


def rows(found: dict[bytes, Any], key: bytes) -> list[dict[bytes, bytes]]:
    """The entries of a stream in a snapshot, oldest first, without their ids."""
    return [row for _, row in found[key][0]]


def names(found: dict[bytes, Any], key: bytes) -> list[str]:
    return [row[b"j"].decode() for row in rows(found, key)]

"""Batches for the tests: made through the engine's own scripts, looked at as they lie in Redis."""

from collections.abc import Mapping
from typing import Any

from ganger import jid as jids
from ganger.batch import Batch, mint_bid
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import NewJob
from ganger.keys import BatchKeys, Control
from ganger.label import with_member
from ganger.operations import batch, outbox
from ganger.operations.batch import NewEffect
from ganger.operations.outbox import Effect
from ganger.parcel import Parcel
from support.keyspace import MAIL

CONTROL = Control("ganger")
WHICH = ("complete", "success", "death")


def callback(keys: BatchKeys, which: str) -> Parcel:
    body = with_member(b"{}", f"{keys.bid}:{which}")
    return Parcel(MAIL, 12, 5, (NewJob(jids.mint("mail", 3)[0], f"shop.{which}", body),))


def made(
    cluster: Cluster, *callbacks: str, members: int = 0, committed: bool = False, **about: str
) -> BatchKeys:
    """A batch with these callbacks and members; these have no jobs."""
    keys = BatchKeys("ganger", mint_bid())
    jobs = {f"{which}_job": b"- " + callback(keys, which).encode() for which in callbacks}
    batch.register(cluster, CONTROL, keys.bid)
    batch.create(cluster, keys, {"bid": keys.bid, **about, **jobs})
    if members:
        add(cluster, keys, members)
    if committed:
        batch.commit(cluster, keys)
    return keys


def add(cluster: Cluster, keys: BatchKeys, members: int, jid: str | None = None) -> int:
    jid = jid or jids.mint("mail", 3)[0]
    first = batch.parse_add(
        cluster.run(batch.add_command(keys, jid, [NewEffect(f"z:{jid}", members, b"")])), keys
    )
    cluster.run(Command(keys.slot, ("HDEL", keys.outbox, f"z:{jid}")))
    return first


def mark(
    cluster: Cluster, keys: BatchKeys, marks: Mapping[int, str] | Mapping[str, str] | list[tuple[int, str]]
) -> int:
    """What the batch owes after these ends."""
    pairs = marks if isinstance(marks, list) else marks.items()
    command = batch.mark_command(keys, [(str(who), how) for who, how in pairs])
    return batch.parse_owes(cluster.run(command), keys)


def head(cluster: Cluster, keys: BatchKeys) -> dict[str, str]:
    return batch.parse_head(cluster.run(batch.head_command(keys)), keys)


def counts(cluster: Cluster, keys: BatchKeys) -> tuple[int, int, int]:
    """(total, ended, ok), which are the bitmaps' too."""
    found = head(cluster, keys)
    total, ended, ok = (int(found[name]) for name in ("total", "ended", "ok"))
    for key, count in ((keys.ended, ended), (keys.ok, ok)):
        assert cluster.run(Command(keys.slot, ("BITCOUNT", key))) == count
    return total, ended, ok


def fired(cluster: Cluster, keys: BatchKeys) -> dict[str, str]:
    """The callbacks whose time has come, and how far each is."""
    found = head(cluster, keys)
    return {which: found[which] for which in WHICH if which in found}


def owed(cluster: Cluster, keys: BatchKeys) -> dict[str, bytes]:
    """What lies in the outbox; of a callback's parcel the job's type."""
    flat = cluster.run(Command(keys.slot, ("HGETALL", keys.outbox)))
    pairs = dict(zip(flat[::2], flat[1::2], strict=True))
    found: dict[str, Any] = {}
    for name, value in pairs.items():
        if name.startswith(b"j:"):
            found["j"] = found.get("j", b"") + value.split(b"\n")[1].split(b" ")[1] + b" "
        elif name:
            found[name.decode()] = value
    return found


def ttl_ms(cluster: Cluster, keys: BatchKeys) -> int:
    """-1: it stays. The four keys live equally long."""
    found = [int(cluster.run(Command(keys.slot, ("PTTL", key)))) for key in keys.all]
    assert max(found) - min(found) < 60_000
    return max(found)


def callbacks(types: dict[str, Any]) -> dict[str, Any]:
    """All three, for `Batch`."""
    return {which: types[which] for which in WHICH}


def box_of(made: Batch) -> outbox.Box:
    return outbox.box_of(BatchKeys("ganger", made.bid))


def effects(cluster: Cluster, *boxes: outbox.Box) -> list[Effect]:
    return [
        effect for box in boxes for effect in outbox.parse_page(cluster.run(outbox.page_command(box)), box)[1]
    ]


def numbers(made: Batch) -> tuple[int, int, int]:
    """(pending, succeeded, failed)"""
    status = made.status()
    return status.pending, status.succeeded, status.failed

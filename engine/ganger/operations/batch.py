"""Batch: the scripts of a batch's own slot, and the list of all batches in the control slot.

A batch is a head (counts, callbacks), two bitmaps with a bit a member, and an outbox. Members are numbered by
`add`, which keeps what is to be delivered for each number in the same script; ends come as marks. Nothing
here pushes: what the scripts put into the outbox is delivered by the producer (members.py) or the scheduler.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ganger import jid as jids
from ganger.cluster import Cluster
from ganger.command import Command, Word
from ganger.errors import BatchClosed, BatchNotFound, OutcomeUnknown, ScriptFailed
from ganger.keys import BatchKeys, Control, check_bid
from ganger.scripts import script

MAX_MEMBERS = 100_000_000
"""Two bitmaps of 12.5 MB."""
KEPT_FAILURES = 100
"""Failed members whose jids a batch keeps."""
REGISTERED_GRACE_MS = 10 * 60 * 1000
"""How long a batch that was registered may take to be made."""
OVER_KEEP_MS = 24 * 3600 * 1000
ABANDONED_MS = 30 * 60 * 1000
"""An open batch in which nothing has moved for so long is shown as abandoned."""


class NewEffect(NamedTuple):
    """What an added member is owed: kept as "<number of the first> <value>" until it is delivered."""

    name: str
    members: int
    value: bytes


def register(cluster: Cluster, control: Control, bid: str, *, replicas: int = 0) -> None:
    """To be done before the batch is made, and no less durably: what is not on the list, no scheduler looks
    at, and what it owes is delivered only if that works at once."""
    keys = (control.batches_live, control.batches_over)
    cluster.run(script("batch_register").command(control.slot, keys, (bid,)), replicas=replicas)


def create(cluster: Cluster, keys: BatchKeys, about: Mapping[str, Word], *, replicas: int = 0) -> None:
    """Make it, open and empty; harmless when it is there."""
    words = [word for pair in about.items() for word in pair]
    _run(cluster, keys, script("batch_create").command(keys.slot, keys.all, words), replicas)


def add_command(keys: BatchKeys, jid: str, effects: Sequence[NewEffect]) -> Command:
    """New members; `jid` names the call, it is that of the first job in it. For run_many; see parse_add."""
    words: list[Word] = [MAX_MEMBERS, jids.producer_of(jid), jids.op_of(jid)]
    for effect in effects:
        words += effect
    return script("batch_add").command(keys.slot, keys.all, words)


def parse_add(reply: Any, keys: BatchKeys) -> int:
    """The number of the first. Raises BatchNotFound, BatchClosed; OutcomeUnknown for a call that is too old
    to be known."""
    reply = _checked(reply, keys)
    if reply[0] == b"closed":
        raise BatchClosed(f"Batch {keys.bid} has succeeded already; make a new one for more jobs.")
    if reply[0] == b"full":
        raise BatchClosed(f"Batch {keys.bid} would have more than {MAX_MEMBERS:,} members.")
    if reply[0] == b"stale":
        raise OutcomeUnknown(f"Nobody knows any more whether these jobs were added to batch {keys.bid}.")
    return int(reply[1])


def adopt_command(keys: BatchKeys, parent: str) -> Command:
    """This batch is member `parent`, "<bid>:<number>", of another. For run_many; see parse_owes."""
    return script("batch_adopt").command(keys.slot, keys.all, (parent,))


def commit(cluster: Cluster, keys: BatchKeys, *, replicas: int = 0) -> int:
    """Let its callbacks fire; harmless when that has happened. How many effects it owes now."""
    return int(_run(cluster, keys, script("batch_commit").command(keys.slot, keys.all), replicas)[1])


def mark_command(keys: BatchKeys, marks: Iterable[tuple[bytes | str, bytes | str]]) -> Command:
    """Ends: who (a member's number, or the name of a callback), and "<how> <jid>". For run_many; see
    parse_owes."""
    words: list[Word] = [KEPT_FAILURES]
    for mark in marks:
        words += mark
    return script("batch_mark").command(keys.slot, keys.all, words)


def parse_owes(reply: Any, keys: BatchKeys) -> int:
    """How many effects the batch owes after an adoption or marks. Raises BatchNotFound."""
    return int(_checked(reply, keys)[1])


@dataclass(frozen=True, slots=True)
class Look:
    """What the scheduler wants to know of a batch; of a callback that has not fired yet ""."""

    owes: int
    complete: str
    success: str
    death: str

    @property
    def is_over(self) -> bool:
        """It can owe nothing any more."""
        return not self.owes and self.success not in ("", "fired") and self.death != "fired"


def look_command(keys: BatchKeys) -> Command:
    """For run_many."""
    return script("batch_look").command(keys.slot, (keys.head, keys.outbox))


def parse_look(reply: Any, keys: BatchKeys) -> Look:
    """Raises BatchNotFound."""
    reply = _checked(reply, keys)
    return Look(int(reply[1]), *(word.decode() for word in reply[2:5]))


def head_command(keys: BatchKeys) -> Command:
    """All that a batch knows of itself, for run_many."""
    return Command(keys.slot, ("HGETALL", keys.head))


def parse_head(reply: Any, keys: BatchKeys) -> dict[str, str]:
    """Without what is for scripts alone. Raises BatchNotFound."""
    if isinstance(reply, Exception):
        raise reply
    if not reply:
        raise _not_found(keys)
    pairs = zip(reply[::2], reply[1::2], strict=True)
    return {
        name.decode(): value.decode("utf-8", "replace")
        for name, value in pairs
        if not name.startswith(b"o:") and not name.endswith(b"_job")
    }


def delete(cluster: Cluster, keys: BatchKeys) -> bool:
    """Forget it; its members run on and are told to nobody. False: there was none."""
    return bool(cluster.run(Command(keys.slot, ("DEL", *keys.all))))


def live_page(cluster: Cluster, control: Control, start: int, count: int, *, deadline_s: float) -> list[str]:
    """Some of the batches to look at, from a place on; fewer than `count` at the end of the list."""
    command = Command(control.slot, ("ZRANGE", control.batches_live, start, start + count - 1))
    listed = [bid for bid in cluster.run(command, deadline_s=deadline_s) if bid]
    if strange := [bid for bid in listed if not _is_bid(bid)]:
        # Nobody can ever look at them, and what comes behind them shall be found.
        cluster.run(Command(control.slot, ("ZREM", control.batches_live, *strange)), deadline_s=deadline_s)
    return [bid.decode() for bid in listed if _is_bid(bid)]


def retire(
    cluster: Cluster, control: Control, over: Iterable[str], gone: Iterable[str], *, deadline_s: float
) -> None:
    """Those that are over or are not there: off the list of those to look at."""
    words: list[Word] = [REGISTERED_GRACE_MS, OVER_KEEP_MS]
    for why, bids in (("over", over), ("gone", gone)):
        for bid in bids:
            words += (bid, why)
    keys = (control.batches_live, control.batches_over)
    cluster.run(script("batch_retire").command(control.slot, keys, words), deadline_s=deadline_s)


def recent(cluster: Cluster, control: Control, limit: int, *, deadline_s: float = 10.0) -> list[str]:
    """Batches under way, the newest first, then those that were over in the last day."""
    found: list[str] = []
    for key in (control.batches_live, control.batches_over):
        command = Command(control.slot, ("ZREVRANGE", key, 0, limit))
        found += [bid.decode() for bid in cluster.run(command, deadline_s=deadline_s) if _is_bid(bid)]
    return list(dict.fromkeys(found))[:limit]


def _run(cluster: Cluster, keys: BatchKeys, command: Command, replicas: int) -> list[Any]:
    return _checked(cluster.run(command, replicas=replicas), keys)


def _is_bid(bid: bytes) -> bool:
    try:
        check_bid(bid.decode())
    except ValueError:  # BadName among them
        return False
    return True


def _checked(reply: Any, keys: BatchKeys) -> list[Any]:
    if isinstance(reply, Exception):
        raise reply
    if not isinstance(reply, list) or not reply:
        raise ScriptFailed(f"A script of batch {keys.bid} answered {reply!r:.80}, which is no reply of ours.")
    if reply[0] == b"unknown":
        raise _not_found(keys)
    return reply


def _not_found(keys: BatchKeys) -> BatchNotFound:
    return BatchNotFound(
        f"There is no batch {keys.bid}: it was over for a day, or lay untouched for 30, or never was."
    )

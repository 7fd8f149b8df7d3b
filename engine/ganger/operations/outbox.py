"""Outbox: what one slot owes to others, as fields of a hash that the cause's own script wrote.

Partitions have one, batches have one. An effect is named `<prefix>:<what>` by its target, so that writing it
twice is harmless; it stays until its target has it and is then removed only if it still says the same. The
scheduler delivers (gangerd's roles/scheduler/outbox.py); what a prefix means is no concern of this module.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import ScriptFailed
from ganger.keys import BatchKeys, Partition
from ganger.scripts import script

PAGE = 250
PAGE_BYTES = 1 << 20
_SHORT = 64


class Box(NamedTuple):
    """An outbox: its key and the slot that this lies in."""

    slot: int
    key: bytes


class Effect(NamedTuple):
    """Something owed: `name` begins with its kind and a colon."""

    box: Box
    name: bytes
    value: bytes

    @property
    def prefix(self) -> bytes:
        return self.name.partition(b":")[0]

    @property
    def target(self) -> bytes:
        """What follows the prefix."""
        return self.name.partition(b":")[2]


def box_of(owner: Partition | BatchKeys) -> Box:
    return Box(owner.slot, owner.outbox)


def length_command(box: Box) -> Command:
    """For run_many; see parse_length."""
    return Command(box.slot, ("HLEN", box.key))


def parse_length(reply: Any) -> int:
    """How many effects wait: the sentinel is none."""
    if isinstance(reply, Exception):
        raise reply
    return max(int(reply) - 1, 0)


def page_command(box: Box, cursor: int = 0) -> Command:
    """About PAGE effects, for run_many."""
    return script("outbox_page").command(box.slot, (box.key,), (cursor, PAGE, PAGE_BYTES))


def parse_page(reply: Any, box: Box) -> tuple[int, list[Effect]]:
    """(next cursor, 0 after the last page; the effects). One may come twice in a walk, none is left out
    that was there all the time."""
    if isinstance(reply, Exception):
        raise reply
    if not isinstance(reply, list) or reply[:1] != [b"page"]:
        raise ScriptFailed(f"Script outbox_page answered {reply!r:.80}, which is no reply of ours.")
    pairs = zip(reply[2::2], reply[3::2], strict=True)
    return int(reply[1]), [Effect(box, name, value) for name, value in pairs]


def clear_command(box: Box, effects: Sequence[Effect]) -> Command:
    """Remove what has been delivered, where it still says the same; for run_many."""
    words: list[bytes] = []
    for effect in effects:
        words += [effect.name, _proof(effect.value)]
    return script("outbox_clear").command(box.slot, (box.key,), words)


def clear(cluster: Cluster, box: Box, effects: Sequence[Effect], *, deadline_s: float = 10.0) -> int:
    """How many were removed."""
    return int(cluster.run(clear_command(box, effects), deadline_s=deadline_s)[1])


def _proof(value: bytes) -> bytes:
    """The value, or what names it well enough: a parcel may be a megabyte."""
    if len(value) <= _SHORT:
        return value
    return b"#" + hashlib.sha1(value, usedforsecurity=False).hexdigest().encode()

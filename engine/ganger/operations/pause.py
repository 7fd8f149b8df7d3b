"""Pause: what shall be paused, in one place, and what each partition therefore hands out no more.

The wish stands in the control slot (a hash for queues, one for types: name -> "<ms> <note>"), and claims obey
the copy in the meta of their partition. pausing.py brings the one to the others; the leading scheduler
completes what it could not reach.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ganger.calls import checked, fresh
from ganger.cluster import Cluster
from ganger.command import Command, Word
from ganger.errors import Uninitialised
from ganger.keys import Control, Partition, is_name
from ganger.lifecycle import read_ms
from ganger.scripts import script

EVERYTHING = ""
"""In place of a type: all jobs of the partition."""
MAX_UNPARKED = 200
"""Per call, to bound how long the node is busy with it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody wants it paused, since an instant of the control node's clock; `note` says who or why."""

    since_ms: int
    note: str


@dataclass(frozen=True, slots=True)
class Wishes:
    """All that shall be paused, cluster-wide, by name."""

    queues: Mapping[str, Wish]
    types: Mapping[str, Wish]


def want(
    cluster: Cluster, control: Control, kind: str, name: str, note: str, *, deadline_s: float
) -> tuple[Wish, bool]:
    """It shall be paused from now on; answers the wish that stands, and whether it is this one and no older.
    `kind`: queue or type."""
    command = script("want_paused").command(control.slot, (_key(control, kind),), (name, note))
    word, value = cluster.run(command, deadline_s=deadline_s)
    return _wish(value), word == b"wanted"


def unwant(cluster: Cluster, control: Control, kind: str, name: str, *, deadline_s: float) -> bool:
    """It shall not be paused any more; False when it was not meant to be."""
    command = Command(control.slot, ("HDEL", _key(control, kind), name))
    return bool(cluster.run(command, deadline_s=deadline_s))


def wishes(cluster: Cluster, control: Control, *, deadline_s: float = 5.0) -> Wishes:
    """A row whose name no queue or type can have is none: an empty one would pause everything. Raises
    GangerError when the control slot is out of reach."""
    commands = [Command(control.slot, ("HGETALL", key)) for key in (control.paused, control.paused_types)]
    found: list[dict[str, Wish]] = []
    for reply in cluster.run_many(commands, deadline_s=deadline_s):
        if isinstance(reply, Exception):
            raise reply
        rows = zip(reply[::2], reply[1::2], strict=True)
        named = [(name.decode("utf-8", "replace"), value) for name, value in rows]
        found.append({name: _wish(value) for name, value in named if is_name(name)})
    return Wishes(*found)


def _key(control: Control, kind: str) -> bytes:
    return {"queue": control.paused, "type": control.paused_types}[kind]


def _wish(value: bytes) -> Wish:
    since_ms, _, note = value.decode("utf-8", "replace").partition(" ")
    return Wish(read_ms(since_ms), note)


# ---- a partition's copy --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """What a partition holds back, and how often that has changed. `debt`: its parked jobs are owed their way
    back since that change. A partition that was never opened is `unopened`."""

    everything: bool = False
    types: frozenset[str] = frozenset()
    changes: str = "0"
    debt: str = ""
    unopened: bool = False


def held_command(partition: Partition) -> Command:
    """For run_many."""
    fields = ("ms", "paused", "paused_types", "pauses", "unpark")
    return Command(partition.slot, ("HMGET", partition.meta, *fields))


def parse_held(reply: Any) -> Held:
    """Raises GangerError, the transport's."""
    if isinstance(reply, Exception):
        raise reply
    opened, paused, types, changes, debt = (word.decode("utf-8", "replace") if word else "" for word in reply)
    if not opened:
        return Held(unopened=True)
    return Held(paused == "1", frozenset(types.split()), changes or "0", debt)


def change_command(partition: Partition, edits: Iterable[tuple[str, str]], seen: str = "") -> Command:
    """Hold back ("+") or hand out again ("-") everything or a type, each (sign, type or EVERYTHING). With
    `seen`, Held.changes, only if nothing has changed since. For run_many."""
    keys = (partition.meta, partition.parked, *partition.streams)
    words: list[Word] = [word for edit in edits for word in edit]
    return script("pause").command(partition.slot, keys, (partition.wake, seen, *words))


@dataclass(frozen=True, slots=True)
class Changed:
    """`done` is False when it had changed since it was seen. `parked`: entries set aside there now."""

    done: bool
    changes: str = ""
    parked: int = 0


def parse_change(reply: Any, partition: Partition) -> Changed:
    """Raises Uninitialised for a partition that must be opened first."""
    reply = checked(reply, partition)
    if reply[0] == b"stale":
        return Changed(False)
    return Changed(True, str(int(reply[1])), int(reply[2]))


@dataclass(frozen=True, slots=True)
class Unparked:
    """`moved` jobs wait again; go on `after`, or "" when the end was reached."""

    moved: int
    after: bytes


def unpark_command(partition: Partition, debt: str, after: bytes = b"", limit: int = MAX_UNPARKED) -> Command:
    """Parked jobs whose type is not paused any more wait again, before others of their priority. Start with
    `after` empty and go on until it is that again: then the debt is paid. For run_many."""
    keys = (partition.meta, partition.parked, partition.returned)
    return script("unpark").command(partition.slot, keys, (partition.wake, *fresh(), after, limit, debt))


def parse_unpark(reply: Any, partition: Partition) -> Unparked:
    try:
        reply = checked(reply, partition)
    except Uninitialised:
        return Unparked(0, b"")
    return Unparked(int(reply[1]), reply[2])

"""Cron: entries as hosts announce them, and what the partition of each remembers. For scheduler and people.

An entry lives in one partition of its queue, so that one script can compare the tick, push the job and
remember both: whoever dies in between, and whether its reply arrives, a tick is there once or (its partition
unreachable) not yet. A failover that loses the last writes loses tick and job together.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ganger import jid as jids
from ganger.calls import call, checked, fresh
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.cron.catalog import Catalog, read_catalog
from ganger.cron.due import Step
from ganger.cron.entry import CronEntry
from ganger.errors import Uninitialised
from ganger.keys import Control, Partition
from ganger.lifecycle import read_ms
from ganger.scripts import script

ANNOUNCED_MAX_AGE_MS = 60_000
"""A host that has announced nothing for so long has no say any more."""
FORGET_AFTER_MS = 30 * 24 * 3600 * 1000
"""What is remembered of an entry that no host has any more."""


def announce(
    cluster: Cluster,
    control: Control,
    host: str,
    app: str,
    entries: Sequence[Mapping[str, Any]],
    *,
    deadline_s: float = 10.0,
) -> None:
    """This host (a master's incarnation) has these entries. Repeat it well within ANNOUNCED_MAX_AGE_MS."""
    text = msgspec.json.encode(entries)
    # Each host encrypts for itself, and no two get the same: that makes it no other list.
    clear = [{**entry, "sealed": ""} for entry in entries]
    digest = hashlib.blake2b(msgspec.json.encode(clear), digest_size=8).hexdigest()
    args = (host, app or "-", digest, text, ANNOUNCED_MAX_AGE_MS)
    command = script("announce_crons").command(control.slot, (control.crons,), args)
    cluster.run(command, deadline_s=deadline_s)


def withdraw(cluster: Cluster, control: Control, host: str, *, deadline_s: float = 2.0) -> None:
    """The host leaves: its list counts no more."""
    command = Command(control.slot, ("HDEL", control.crons, f"h:{host}"))
    cluster.run(command, deadline_s=deadline_s)


def catalog(cluster: Cluster, control: Control, *, deadline_s: float = 10.0) -> Catalog:
    """Which entries are in force, where they are at home, which are paused: see cron/catalog.py."""
    flat = cluster.run(Command(control.slot, ("HGETALL", control.crons)), deadline_s=deadline_s)
    return read_catalog(
        {name.decode("utf-8", "replace"): value for name, value in zip(flat[::2], flat[1::2], strict=True)}
    )


def entries(cluster: Cluster, control: Control, *, deadline_s: float = 10.0) -> dict[str, CronEntry]:
    """The entries in force, by name."""
    return catalog(cluster, control, deadline_s=deadline_s).entries


def settle_in(cluster: Cluster, control: Control, name: str, home: str, *, deadline_s: float = 10.0) -> None:
    """The entry is at home there from now on. After `begin`: a leader that dies in between lets the next one
    begin once more, which moves its first tick by as much."""
    command = Command(control.slot, ("HSET", control.crons, f"q:{name}", home))
    cluster.run(command, deadline_s=deadline_s)


def wish(
    cluster: Cluster, control: Control, name: str, *, paused: bool, at_ms: int, deadline_s: float = 10.0
) -> None:
    """Keep that it is paused, or that it isn't any more, for when it moves into another partition."""
    word, value = ("HSET", (at_ms,)) if paused else ("HDEL", ())
    cluster.run(Command(control.slot, (word, control.crons, f"p:{name}", *value)), deadline_s=deadline_s)


def forget(cluster: Cluster, control: Control, name: str, *, deadline_s: float = 10.0) -> None:
    """What the catalog knows of an entry that no host has had for long."""
    command = Command(control.slot, ("HDEL", control.crons, f"q:{name}", f"p:{name}"))
    cluster.run(command, deadline_s=deadline_s)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an entry's history. `word` is fired, run, skipped, missed, paused or resumed; `detail` the
    jid (of skipped: of the run that went on), or of missed how many."""

    tick_ms: int
    at_ms: int
    word: str
    detail: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What an entry's partition remembers of it. Instants by that node's clock."""

    covered_ms: int
    paused_at_ms: int
    fired: int
    skipped: int
    missed: int
    timing: str
    events: tuple[Event, ...]
    """Newest first; the last fifty."""

    @property
    def last(self) -> Event | None:
        """The last time that a job came of it."""
        return next((event for event in self.events if event.word in ("fired", "run")), None)


def look_command(partition: Partition, names: Sequence[str]) -> Command:
    """For run_many; its reply goes through parse_look."""
    return script("cron_look").command(partition.slot, (partition.meta, partition.crons), names)


def parse_look(reply: object, partition: Partition) -> tuple[int, list[Memory | None]]:
    """(the node's clock in ms, what is remembered of each name; None: nothing). A partition that was never
    opened says 0 for its clock. Raises what the transport met."""
    try:
        words = checked(reply, partition)
    except Uninitialised:
        return 0, []
    return int(words[1]), [_memory(value) for value in words[2:]]


def look(
    cluster: Cluster, partition: Partition, names: Sequence[str], *, deadline_s: float = 10.0
) -> tuple[int, list[Memory | None]]:
    """One look in a trip of its own, the partition opened if need be."""
    reply = call(cluster, partition, look_command(partition, names), deadline_s=deadline_s)
    return parse_look(reply, partition)


def begin(
    cluster: Cluster,
    partition: Partition,
    entry: CronEntry,
    *,
    moved: bool = False,
    paused: bool = False,
    deadline_s: float = 10.0,
) -> bool:
    """From now on its ticks count, if it is new there, has moved there, or its schedule has changed; False:
    none of that. `paused`: so it begins where it is new or has moved to."""
    keys = (partition.meta, partition.crons)
    args = (entry.name, entry.timing, int(moved), int(paused))
    command = script("cron_begin").command(partition.slot, keys, args)
    return bool(call(cluster, partition, command, deadline_s=deadline_s)[0] == b"begun")


@dataclass(frozen=True, slots=True)
class Fired:
    """What came of a step, or of a wish to run. `word` is fired (`jid` is the new job), skipped or held
    (`jid` is the run that goes on), passed, repeat, early (`early_ms`), paused, or unknown."""

    word: str
    jid: str = ""
    early_ms: int = 0


def fire(
    cluster: Cluster,
    partition: Partition,
    entry: CronEntry,
    step: Step | None,
    now_ms: int,
    *,
    deadline_s: float = 10.0,
) -> Fired:
    """Take a step, or (None) run the entry now. `now_ms` is the node's clock, as far as the caller knows it.

    Crash points: before the call nothing has happened, and the step is due for the next leader; after it, the
    tick is remembered with its job, and the same step from anybody else answers `repeat`. When only the reply
    is lost, the transport asks again and hears `fired`. A failover that loses the last writes loses tick and
    job, and the tick is due again. Raises ServerFull (nothing happened), NodeDown, OutcomeUnknown..."""
    (jid,) = jids.mint(entry.queue, partition.index)
    tick, fires = ("", True) if step is None else (step.tick_ms, step.fires)
    body = entry.body(now_ms, None if step is None else step.tick_ms)
    args = (partition.wake, *fresh(), entry.name, tick, 0 if step is None else step.missed)
    job = (entry.lock, entry.hold_ms, entry.priority, jid, entry.type if fires else "", body)
    keys = (partition.meta, partition.crons, partition.locks, partition.streams[entry.priority])
    command = script("fire").command(partition.slot, keys, (*args, *job))
    reply = call(cluster, partition, command, deadline_s=deadline_s)
    word = reply[0].decode()
    match word:
        case "fired":
            return Fired(word, jid)
        case "skipped" | "held":
            return Fired(word, reply[1].decode())
        case "early":
            return Fired(word, early_ms=int(reply[1]))
    return Fired(word)


def pause(
    cluster: Cluster, partition: Partition, name: str, *, resume: bool = False, deadline_s: float = 10.0
) -> str:
    """paused, resumed, same (it was so before), or unknown."""
    args = (name, "resume" if resume else "pause")
    command = script("cron_pause").command(partition.slot, (partition.meta, partition.crons), args)
    return str(call(cluster, partition, command, deadline_s=deadline_s)[0].decode())


def sweep(cluster: Cluster, partition: Partition, names: Sequence[str], *, deadline_s: float = 10.0) -> int:
    """Forget entries that were not among the live `names` for FORGET_AFTER_MS; how many."""
    command = script("sweep_crons").command(
        partition.slot, (partition.meta, partition.crons), (FORGET_AFTER_MS, *names)
    )
    try:
        return int(checked(cluster.run(command, deadline_s=deadline_s), partition)[1])
    except Uninitialised:
        return 0


def _memory(value: bytes) -> Memory | None:
    head, _, rows = value.decode("utf-8", "replace").partition("\n")
    words = head.split("|", 6)
    if len(words) != 7:
        return None
    if not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words[:6]):
        return None
    covered, _, paused, fired, skipped, missed = (int(word) for word in words[:6])
    events = [row.split(" ", 3) for row in rows.splitlines()]
    return Memory(
        covered_ms=covered,
        paused_at_ms=paused,
        fired=fired,
        skipped=skipped,
        missed=missed,
        timing=words[6],
        events=tuple(Event(read_ms(e[0]), read_ms(e[1]), e[2], e[3]) for e in events if len(e) == 4),
    )

"""Control: what belongs to no queue. The catalog of queues, job types, hosts, the leader, crash records."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ganger.cluster import Cluster
from ganger.command import Command, Word
from ganger.keys import Control, check_queue, check_type, is_name
from ganger.scripts import script
from ganger.slots import MAX_PARTITIONS

DEFAULT_PARTITIONS = 12
HOST_MAX_AGE_MS = 60_000
TYPE_MAX_AGE_MS = 24 * 3600 * 1000
MAX_CRASHES = 10_000
_COUNT = re.compile(rb"[0-9]{1,18}")


class _Crash(msgspec.Struct):
    """What is looked at of a post-mortem, wherever it is shown."""

    cause: str = ""
    jid: str | None = None
    type: str | None = None
    attempt: int | None = None
    pid: int | None = None
    host: str | None = None
    at_ms: int = 0
    ran_ms: int | None = None
    peak_rss_bytes: int | None = None
    evidence: str | list[str] | None = None


class _Worker(msgspec.Struct):
    """The same of a worker in a heartbeat."""

    slot: int | None = None
    state: str | None = None
    pid: int | None = None
    generation: int | None = None
    jid: str | None = None
    type: str | None = None
    since_ms: int | None = None
    rss_bytes: int | None = None


class _Limit(msgspec.Struct):
    """The same of a limit in a heartbeat."""

    name: str
    queue: str
    used: int
    offered: int
    waiting: int
    served: bool
    state: str
    type: str = ""
    concurrency: int | None = None
    on_lost: str | None = None
    rate: str | None = None
    burst: int | None = None
    limit_key: str | None = None


class _Host(msgspec.Struct):
    """The same of a heartbeat; of a job type's options nothing."""

    host: str = ""
    app: str = ""
    slots: int = 0
    queues: list[str] = []
    workers: list[_Worker] = []
    limits: list[_Limit] = []


def register_queue(
    cluster: Cluster,
    control: Control,
    queue: str,
    partitions: int = DEFAULT_PARTITIONS,
    *,
    deadline_s: float = 10.0,
) -> int:
    """How many partitions the queue has: what the first caller said, for ever. Raises BadName."""
    check_queue(queue)
    keys = (control.catalog, control.crashes, control.crash_records, control.totals)
    command = script("register_queue").command(control.slot, keys, (queue, partitions))
    return int(cluster.run(command, deadline_s=deadline_s)[1])


def queues(cluster: Cluster, control: Control, *, deadline_s: float = 10.0) -> dict[str, int]:
    """Every queue that was ever pushed to, with its number of partitions. A row that makes no sense is no
    queue."""
    found = _hash(cluster, control, control.catalog, deadline_s)
    return {name: int(count) for name, count in sorted(found.items()) if _is_queue(name, count)}


def announce(
    cluster: Cluster, control: Control, types: Mapping[str, Mapping[str, Any]], *, deadline_s: float = 10.0
) -> None:
    """A live host serves these types (name -> options, from the manifest). Repeat it with the heartbeat: a
    type
    that nobody announced for a day is forgotten."""
    words: list[Word] = [TYPE_MAX_AGE_MS]
    for name, options in types.items():
        words += [check_type(name), json.dumps(options, separators=(",", ":"))]
    cluster.run(script("announce").command(control.slot, (control.types,), words), deadline_s=deadline_s)


def types(cluster: Cluster, control: Control, *, deadline_s: float = 10.0) -> dict[str, dict[str, Any]]:
    """The announced types with their options; empty when no host ever announced any."""
    found = _hash(cluster, control, control.types, deadline_s)
    return {name: _stamped(value)[1] for name, value in sorted(found.items()) if name}


def announced_at_ms(cluster: Cluster, control: Control, *, deadline_s: float = 10.0) -> dict[str, int]:
    """When each type was last announced, by the control node's clock."""
    found = _hash(cluster, control, control.types, deadline_s)
    return {name: _stamped(value)[0] for name, value in sorted(found.items()) if name}


def heartbeat(
    cluster: Cluster, control: Control, incarnation: str, host: Mapping[str, Any], *, deadline_s: float = 2.0
) -> int:
    """This host lives; `host` is what status shows of it: {"host": name, "workers": [...], ...}. Hosts
    that were silent for a minute are dropped. Answers the node's clock in ms."""
    command = script("heartbeat").command(
        control.slot,
        (control.hosts,),
        (incarnation, json.dumps(host, separators=(",", ":")), HOST_MAX_AGE_MS),
    )
    return int(cluster.run(command, deadline_s=deadline_s)[1])


def depart(cluster: Cluster, control: Control, incarnation: str, *, deadline_s: float = 2.0) -> None:
    """The host leaves by itself: its row goes at once."""
    cluster.run(Command(control.slot, ("HDEL", control.hosts, incarnation)), deadline_s=deadline_s)


@dataclass(frozen=True, slots=True)
class Host:
    """A host's last heartbeat, at `at_ms` of the node's clock."""

    incarnation: str
    at_ms: int
    status: dict[str, Any]


def hosts(cluster: Cluster, control: Control, *, deadline_s: float = 10.0) -> list[Host]:
    """Also those that fell silent since the last heartbeat of any: judge by at_ms."""
    found = _hash(cluster, control, control.hosts, deadline_s)
    return [Host(name, *_stamped(value)) for name, value in sorted(found.items()) if name]


@dataclass(frozen=True, slots=True)
class Leadership:
    """`held` by the asker, or else by `holder`, for `ttl_ms` more."""

    held: bool
    holder: str
    ttl_ms: int


def lead(
    cluster: Cluster, control: Control, holder: str, ttl_ms: int = 3000, *, deadline_s: float = 2.0
) -> Leadership:
    """Become or stay the leader for `ttl_ms`, if nobody else is."""
    command = script("lead").command(control.slot, (control.leader,), (holder, ttl_ms))
    word, who, left = cluster.run(command, deadline_s=deadline_s)
    return Leadership(word == b"leading", who.decode(), int(left))


def leader(cluster: Cluster, control: Control, *, deadline_s: float = 5.0) -> str | None:
    """The incarnation of the host whose scheduler leads, None for nobody."""
    held = cluster.run(Command(control.slot, ("GET", control.leader)), deadline_s=deadline_s)
    return held.decode("ascii", "replace") if isinstance(held, bytes) else None


def abdicate(cluster: Cluster, control: Control, holder: str, *, deadline_s: float = 2.0) -> bool:
    """Stop being the leader at once; False when one was not."""
    command = script("abdicate").command(control.slot, (control.leader,), (holder,))
    return bool(cluster.run(command, deadline_s=deadline_s)[0] == b"abdicated")


def record_crash(
    cluster: Cluster,
    control: Control,
    death_id: str,
    cause: str,
    record: Mapping[str, Any],
    *,
    deadline_s: float = 10.0,
) -> bool:
    """Keep a post-mortem (fields as in design: jid, type, queue, attempt, cause, signal...). False: it was
    there.

    The newest MAX_CRASHES are kept; totals per cause count all."""
    keys = (control.crashes, control.crash_records, control.totals)
    args = (death_id, cause, json.dumps(record, separators=(",", ":")), MAX_CRASHES)
    reply = cluster.run(script("record_crash").command(control.slot, keys, args), deadline_s=deadline_s)
    return bool(reply[0] == b"recorded")


def crash_totals(cluster: Cluster, control: Control, *, deadline_s: float = 10.0) -> dict[str, int]:
    """Deaths by cause, ever."""
    found = _hash(cluster, control, control.totals, deadline_s)
    return {name: int(count) for name, count in sorted(found.items()) if name and _COUNT.fullmatch(count)}


def crashes(
    cluster: Cluster, control: Control, limit: int = 100, *, skip: int = 0, deadline_s: float = 10.0
) -> list[dict[str, Any]]:
    """Post-mortems, newest first behind the first `skip`, as they were recorded. What is none is left out."""
    command = Command(control.slot, ("ZREVRANGE", control.crashes, skip, skip + limit))
    # One more than asked for: the sentinel sorts among them.
    ids = [id for id in cluster.run(command, deadline_s=deadline_s) if id][:limit]
    if not ids:
        return []
    bodies = cluster.run(Command(control.slot, ("HMGET", control.crash_records, *ids)), deadline_s=deadline_s)
    return [record for body in bodies if body and (record := _read(body, _Crash)) is not None]


def _hash(cluster: Cluster, control: Control, key: bytes, deadline_s: float) -> dict[str, bytes]:
    flat = cluster.run(Command(control.slot, ("HGETALL", key)), deadline_s=deadline_s)
    return {name.decode("utf-8", "replace"): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _stamped(value: bytes) -> tuple[int, dict[str, Any]]:
    """(at_ms, JSON) of "<ms> <json>"; whatever can't be read is shown as empty."""
    at_ms, _, text = value.partition(b" ")
    found = _read(text, _Host) if _COUNT.fullmatch(at_ms) else None
    return (0, {}) if found is None else (int(at_ms), found)


def _read(data: bytes, kind: type[msgspec.Struct]) -> dict[str, Any] | None:
    """The JSON object as it was written, if what we know of it has the types that it should have."""
    try:
        msgspec.json.decode(data, type=kind)
        return msgspec.json.decode(data, type=dict[str, Any])
    except (ValueError, RecursionError):
        return None


def _is_queue(name: str, count: bytes) -> bool:
    if not is_name(name) or len(name) > 64:
        return False
    return bool(_COUNT.fullmatch(count)) and 1 <= int(count) <= MAX_PARTITIONS

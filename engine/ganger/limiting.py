"""The limits on queues as the whole cluster knows them, and changing them while it runs.

What a limit is comes from two places: what was set at runtime (control slot), and what live hosts say of
their configuration in their heartbeats, with how much of it they use. Who holds its permits the servers for
semaphores know. The command line calls; the daemon's coordinators obey within two beats.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ganger.cluster import Cluster
from ganger.errors import BadOptions, GangerError
from ganger.keys import Control
from ganger.operations import limits
from ganger.operations.limits import SetLimit
from ganger.throttle.quorum import MOST_SEATS
from ganger.throttle.semaphore import Semaphore
from ganger.throttle.servers import Servers
from ganger.unserved import live_hosts

IN_USE = ("ok", "full", "rate used up")
"""What a host says of a limit while it does no more than hold jobs up."""
_PARTS = ("queue", "type", "concurrency", "rate", "burst", "limit_key", "on_lost")
"""What a limit says, as in a host's configuration."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be set; None: as it was; 0 or "": not said any more."""

    queue: str | None = None
    concurrency: int | None = None
    on_lost: str | None = None
    off: bool = False
    type: str | None = None
    rate: str | None = None
    burst: int | None = None
    limit_key: str | None = None


Check = Callable[[str, Mapping[str, SetLimit]], object]
"""Raises for a limit, by its name, that can't be so, or not beside the others, which are given by name."""


def semaphore_name(limit: str) -> str:
    """What the semaphore of a limit is called: an application's own have other names."""
    return f"limit:{limit}"


def survey(cluster: Cluster, control: Control, servers: Servers | None) -> list[dict[str, Any]]:
    """A row for each limit, by name: name, queue or type ("" the other), concurrency, rate, burst, limit_key
    (None each: it does not say), on_lost, set (at runtime), off, used, offered, waiting (partitions), states
    (by host), differs (hosts that have it otherwise), holders (None: not known, `unknown` says why)."""
    found: dict[str, dict[str, Any]] = {}
    told: list[tuple[str, dict[str, Any]]] = []
    for host in live_hosts(cluster, control):
        for said in host.status.get("limits", []):
            told.append((host.status.get("host", host.incarnation), said))
            row = found.setdefault(said["name"], _row(said["name"], said))
            for count in ("used", "offered"):
                row[count] += said[count]
            row["waiting"] = max(row["waiting"], said["waiting"])
            if said["served"]:
                row["states"][told[-1][0]] = said["state"]
    for name, one in limits.read(cluster, control).items():
        row = found.setdefault(name, _row(name, {}))
        row.update(about(one), set=True, off=one.off)
    rows = [found[name] for name in sorted(found)]
    for row in rows:
        row["differs"] = sorted(
            name
            for name, said in told
            if said["name"] == row["name"]
            and any((said.get(part) or None) != (row[part] or None) for part in _PARTS)
        )
        row.update(_holders(row, control, servers))
    return rows


def standing(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Of survey's rows those that no job gets past on some host, for another reason than that they are full:
    limit, queue, host, state."""
    return [
        {"limit": row["name"], "queue": row["queue"], "host": host, "state": state}
        for row in rows
        for host, state in row["states"].items()
        if state not in IN_USE
    ]


def about(limit: SetLimit) -> dict[str, Any]:
    """What it says, as survey's rows have it."""
    said = {part: getattr(limit, part) or None for part in _PARTS}
    return {**said, "queue": limit.queue, "type": limit.type}


def change(
    cluster: Cluster, control: Control, name: str, wanted: Change, check: Check = lambda name, limits: None
) -> SetLimit:
    """Set a limit for all hosts, from within two seconds on; what `wanted` leaves out stays as it is. Raises
    BadOptions, BadName, and what `check` does."""
    rows = {row["name"]: row for row in survey(cluster, control, None)}
    was = rows.get(name, {})
    said = {part: was.get(part) for part in _PARTS}
    said.update((part, value) for part in _PARTS if (value := getattr(wanted, part)) is not None)
    if wanted.queue or wanted.type:
        said.update(queue=wanted.queue, type=wanted.type)
    if not said["queue"] and not said["type"]:
        raise BadOptions(
            f"no host knows a limit {name!r}: say which queue it is for (--queue), or which job type"
            " (--type)."
        )
    if not said["concurrency"] and not said["rate"]:
        raise BadOptions(
            f"say how many jobs may run at once under the limit {name!r} (--concurrency), or begin in what"
            " time (--rate)."
        )
    made = SetLimit(**{part: value for part, value in said.items() if value}, off=wanted.off)
    if not made.off:
        _refuse_other_kind(name, was.get("concurrency"), made.concurrency)
        others = {other: _as_set(row) for other, row in rows.items() if not row["off"]}
        check(name, {**others, name: made})
    limits.put(cluster, control, name, made)
    return made


def _as_set(row: Mapping[str, Any]) -> SetLimit:
    return SetLimit(**{part: row[part] for part in _PARTS if row[part]})


def _refuse_other_kind(name: str, was: int | None, becomes: int) -> None:
    """Below and above so many seats permits are counted in two ways, which know nothing of each other."""
    if was and becomes and (was <= MOST_SEATS) != (becomes <= MOST_SEATS):
        raise BadOptions(
            f"{name!r} can't go from {was} to {becomes} while it is used: up to {MOST_SEATS} permits are"
            " counted in another way than above, and for a while both would be given. Turn it off (--off),"
            " wait until its jobs have ended, and set one of another name."
        )


def _row(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    counts: dict[str, Any] = {"used": 0, "offered": 0, "waiting": 0, "states": {}}
    rule = {part: said.get(part) for part in _PARTS}
    rule.update(queue=said.get("queue") or "", type=said.get("type") or "")
    return {"name": name, **rule, "set": False, "off": False, **counts}


def _holders(row: dict[str, Any], control: Control, servers: Servers | None) -> dict[str, Any]:
    """Who has a permit, since when."""
    if row["off"] or not row["concurrency"]:
        return {"holders": [], "unknown": ""}
    if servers is None:
        return {"holders": None, "unknown": "no servers for semaphores are configured here"}
    semaphore = Semaphore(servers, control.namespace, semaphore_name(row["name"]), row["concurrency"])
    try:
        seats = semaphore.inspect()
    except GangerError as error:
        return {"holders": None, "unknown": str(error)}
    return {
        "holders": [
            {
                "host": seat.holder.host if seat.holder else "?",
                "worker": seat.holder.process if seat.holder else "?",
                "jid": seat.holder.jid if seat.holder else "",
                "held_ms": seat.held_ms,
                "left_ms": seat.left_ms,
            }
            for seat in seats
        ],
        "unknown": "",
    }

"""The limits on queues as the whole cluster knows them, and changing them while it runs.

What a limit is comes from two places: what was set at runtime (control slot), and what live hosts say of
their configuration in their heartbeats, with how much of it they use. Who holds its permits the servers for
semaphores know. The command line calls; the daemon's coordinators obey within two beats.
"""

from dataclasses import dataclass
from typing import Any

from ganger.cluster import Cluster
from ganger.errors import BadOptions, GangerError
from ganger.keys import Control, check_queue
from ganger.operations import limits
from ganger.operations.limits import SetLimit
from ganger.throttle.quorum import MOST_SEATS
from ganger.throttle.semaphore import Semaphore
from ganger.throttle.servers import Servers
from ganger.unserved import live_hosts

MOST_PER_QUEUE = 3


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be set; None: as it was."""

    queue: str | None = None
    concurrency: int | None = None
    on_lost: str | None = None
    off: bool = False


def semaphore_name(limit: str) -> str:
    """What the semaphore of a limit is called: an application's own have other names."""
    return f"limit:{limit}"


def survey(cluster: Cluster, control: Control, servers: Servers | None) -> list[dict[str, Any]]:
    """A row for each limit, by name: name, queue, concurrency, on_lost, set (at runtime), off, used, offered,
    waiting (partitions), states (by host), holders (None: not known, `unknown` says why)."""
    found: dict[str, dict[str, Any]] = {}
    for host in live_hosts(cluster, control):
        for said in host.status.get("limits", []):
            row = found.setdefault(said["name"], _row(said["name"], said["queue"], said))
            for count in ("used", "offered"):
                row[count] += said[count]
            row["waiting"] = max(row["waiting"], said["waiting"])
            if said["served"]:
                row["states"][host.status.get("host", host.incarnation)] = said["state"]
    for name, one in limits.read(cluster, control).items():
        row = found.setdefault(name, _row(name, one.queue, {}))
        about = {"queue": one.queue, "concurrency": one.concurrency, "on_lost": one.on_lost}
        row.update(about, set=True, off=one.off)
    rows = [found[name] for name in sorted(found)]
    for row in rows:
        row.update(_holders(row, control, servers))
    return rows


def standing(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Of survey's rows those that no job gets past on some host, for another reason than that they are full:
    limit, queue, host, state."""
    return [
        {"limit": row["name"], "queue": row["queue"], "host": host, "state": state}
        for row in rows
        for host, state in row["states"].items()
        if state not in ("ok", "full")
    ]


def change(cluster: Cluster, control: Control, name: str, wanted: Change) -> SetLimit:
    """Set a limit for all hosts, from within two seconds on; what `wanted` leaves out stays as it is. Raises
    BadOptions, BadName."""
    rows = {row["name"]: row for row in survey(cluster, control, None)}
    was = rows.get(name, {})
    queue = wanted.queue or was.get("queue")
    if not queue:
        raise BadOptions(f"no host knows a limit {name!r}: say which queue it is for (--queue).")
    concurrency = wanted.concurrency or was.get("concurrency")
    if not concurrency:
        raise BadOptions(f"say how many jobs may run at once under the limit {name!r} (--concurrency).")
    made = SetLimit(
        check_queue(queue), concurrency, wanted.on_lost or was.get("on_lost") or "end", wanted.off
    )
    if not made.off:
        _refuse_other_kind(name, was.get("concurrency"), concurrency)
        others = [o for o, row in rows.items() if o != name and row["queue"] == queue and not row["off"]]
        if len(others) >= MOST_PER_QUEUE:
            raise BadOptions(f"queue {queue!r} has {len(others)} limits already; that is the most.")
    limits.put(cluster, control, name, made)
    return made


def _refuse_other_kind(name: str, was: int | None, becomes: int) -> None:
    """Below and above so many seats permits are counted in two ways, which know nothing of each other."""
    if was and (was <= MOST_SEATS) != (becomes <= MOST_SEATS):
        raise BadOptions(
            f"{name!r} can't go from {was} to {becomes} while it is used: up to {MOST_SEATS} permits are"
            " counted in another way than above, and for a while both would be given. Turn it off (--off),"
            " wait until its jobs have ended, and set one of another name."
        )


def _row(name: str, queue: str, said: dict[str, Any]) -> dict[str, Any]:
    counts: dict[str, Any] = {"used": 0, "offered": 0, "waiting": 0, "states": {}}
    about = {key: said.get(key) for key in ("concurrency", "on_lost")}
    return {"name": name, "queue": queue, **about, "set": False, "off": False, **counts}


def _holders(row: dict[str, Any], control: Control, servers: Servers | None) -> dict[str, Any]:
    """Who has a permit, since when."""
    if row["off"]:
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

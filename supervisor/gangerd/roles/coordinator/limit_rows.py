"""What a host says of its limits in each heartbeat: what each allows, and how much of it this host has.

Pure but for the table of passes that it reads. limits.py calls; ganger's limiting.py puts the hosts together.
"""

from collections.abc import Collection, Mapping
from typing import Any

from gangerd.config import Limit
from gangerd.passes import Passes, PassState, Row
from gangerd.roles.coordinator.lane_rules import digest
from gangerd.roles.coordinator.limited_queue import BUSY, LimitedQueue


def rows(
    limits: Mapping[str, Limit],
    at_runtime: Collection[str],
    served: Collection[str],
    queues: Mapping[int, LimitedQueue],
    passes: Passes,
) -> list[dict[str, Any]]:
    """One for each limit, by name. `served`: the queues of this host."""
    out = [row for _, row in passes.rows()]
    found = []
    for name, limit in sorted(limits.items()):
        under = [queue for queue in queues.values() if limit.type or queue.name == limit.queue]
        is_served = bool(limit.type) or limit.queue in served
        found.append(
            {
                "name": name,
                **_about(limit),
                "set": name in at_runtime,
                "served": is_served,
                "used": _count(out, limit, under, PassState.TAKEN),
                "offered": _count(out, limit, under, PassState.OFFERED),
                "waiting": sum(queue.waiting for queue in under if limit.queue),
                "state": _state(under, limit) if under else ("no servers" if is_served else ""),
            }
        )
    return found


def _count(out: list[Row], limit: Limit, under: list[LimitedQueue], state: PassState) -> int:
    """Passes in this state that hold a permit of the limit."""
    lines = {queue.line for queue in under}
    is_for_some = bool(limit.type or limit.limit_key)
    return sum(
        row.state == state
        and row.line in lines
        and (not is_for_some or row.track is not None)
        and (not limit.type or (row.track is not None and row.track.kind == digest(limit.type)))
        for row in out
    )


def _about(limit: Limit) -> dict[str, Any]:
    """What it says; None for what it does not."""
    said = {part: getattr(limit, part) or None for part in Limit.__struct_fields__}
    return {**said, "queue": limit.queue, "type": limit.type}


def _state(under: list[LimitedQueue], limit: Limit) -> str:
    why = next((queue.why for queue in under if queue.why), "")
    if why in BUSY and (limit.type or limit.limit_key):
        why = ""  # a limit of the whole queue is used up
    if (why == "full" and not limit.concurrency) or (why == "rate" and not limit.rate):
        why = ""  # another limit of the queue holds it up
    said = {
        "quorum": "quorum lost",
        "young": "servers just started",
        "rate": "rate used up",
        "other": "in use with another limit",
    }
    return said.get(why, why or "ok")

"""May this server hold throttles? Reads what INFO says; decides; no I/O. servers.py asks at each connect."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ganger.keys import THROTTLE_LIFE

OLDEST = (7, 0)
_WHOLE = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a server process: its run id, and how long it has been up at the least."""

    run: str
    up_ms: int


def read_life(info: Mapping[str, str]) -> Life:
    """INFO counts whole seconds, and may be one ahead."""
    told = info.get("uptime_in_seconds", "")
    return Life(info.get("run_id", ""), max(0, int(told) - 1) * 1000 if _WHOLE.fullmatch(told) else 0)


def complaint(place: str, info: Mapping[str, str]) -> str:
    """Why this server can't hold throttles, as a sentence; "" when it can."""
    if info.get("redis_mode") == "cluster" or info.get("cluster_enabled") == "1":
        return (
            f"The server for semaphores at {place} runs in cluster mode: its nodes fail over and forget what"
            " they granted, so limits would not hold. Name independent standalone servers."
        )
    if info.get("role", "master") != "master":
        return (
            f"The server for semaphores at {place} is a replica: it lags behind, and would be promoted"
            " without the last grants. Name standalone servers that have no replicas."
        )
    version = info.get("redis_version", "0")
    if tuple(int(part) for part in version.split(".")[:2] if _WHOLE.fullmatch(part)) < OLDEST:
        return f"The server for semaphores at {place} runs version {version}: Redis 7.0 is the oldest to do."
    if info.get("maxmemory", "0") != "0" and info.get("maxmemory_policy", "noeviction") != "noeviction":
        return (
            f"The server for semaphores at {place} has maxmemory-policy {info['maxmemory_policy']} and would"
            " throw permits away when it is full: set maxmemory-policy noeviction."
        )
    return ""


def twins(place: str, other: str) -> str:
    """What to say of two addresses with one run id."""
    return (
        f"The servers for semaphores at {place} and {other} are the same server (same run id): its vote would"
        " count twice. Name each server once."
    )


def vouch(run: str) -> tuple[str, ...]:
    """The command that tells the server with this run id that it has forgotten nothing: for who keeps it, and
    knows. It grants at once then, without waiting until it is old enough."""
    return "SET", THROTTLE_LIFE.decode(), f"{run}|1|1"

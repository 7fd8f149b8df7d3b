"""Is this server one that ganger can work with? Reads INFO; decides; no I/O of its own."""

import re
from typing import Any

from ganger.errors import EvictionEnabled, NotACluster, ScriptFailed, ServerTooOld
from ganger.wire.node import Node

OLDEST = (7, 0)
APART_S = 5
"""Clocks that differ by less may do so because an answer took its time."""


def read_info(text: Any) -> dict[str, str]:
    """INFO's lines as a dict. Raises ScriptFailed for a reply that is no text."""
    if not isinstance(text, bytes):
        raise ScriptFailed(f"INFO was answered with {text!r:.80}: that is no server of Redis.")
    lines = (line.partition(":") for line in text.decode("utf-8", "replace").splitlines())
    return {name: value.strip() for name, colon, value in lines if colon}


def check_server(
    node: Node, info: dict[str, Any], durability: str = "fast", now_ms: int | None = None
) -> list[str]:
    """Warnings about one primary; with the time of day here also about its clock. Raises NotACluster,
    ServerTooOld, EvictionEnabled."""
    version = str(info.get("redis_version", "0"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if re.fullmatch(r"[0-9]{1,9}", part))
    if numbers < OLDEST:
        raise ServerTooOld(
            f"Redis node {node} runs version {version}; ganger needs Redis 7.0 or newer, or Valkey."
        )
    if str(info.get("cluster_enabled", "1")) != "1":
        raise NotACluster(f"Redis at {node} does not run in cluster mode: set cluster-enabled yes.")
    policy, limit = str(info.get("maxmemory_policy", "noeviction")), str(info.get("maxmemory", "0"))
    if policy.startswith("allkeys") and limit != "0":
        raise EvictionEnabled(
            f"Redis node {node} has maxmemory-policy {policy} and would throw jobs away when it is full:"
            " set maxmemory-policy noeviction."
        )
    warnings = []
    if policy != "noeviction":
        warnings.append(f"Redis node {node} has maxmemory-policy {policy}; noeviction is what ganger wants.")
    if durability != "fast" and str(info.get("connected_slaves", "")) == "0":
        warnings.append(
            f"Redis node {node} has no replica, and durability = {durability} waits for one: each push that"
            " comes to this node raises OutcomeUnknown. Give it a replica, or set durability = fast."
        )
    theirs_us = str(info.get("server_time_usec", ""))
    if now_ms is not None and re.fullmatch(r"[0-9]{1,18}", theirs_us):
        ahead_s = int(theirs_us) // 1_000_000 - now_ms // 1000
        if abs(ahead_s) > APART_S:
            way = "ahead of" if ahead_s > 0 else "behind"
            warnings.append(
                f"The clock of Redis node {node} is {abs(ahead_s):,} s {way} that of this machine. Jobs come,"
                " and expire, by the node's; what is shown, and an instant given with at=, goes by this one."
                " Have both set by a time server (NTP)."
            )
    return warnings

"""Marks of blocks that run once per key: begin, end, forget. Each lies in a slot of its own.

A mark is pending, done or failed, and names its holder: a token drawn per call, and inside a job also the
jid and the delivery (the entry's id, which grows from one delivery of a job to the next). once.py is what
handlers use.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import ScriptFailed
from ganger.keys import OnceMark
from ganger.scripts import script


class Holder(NamedTuple):
    """Who runs the block. Outside a job only the token says anything."""

    token: str
    jid: str = ""
    entry: bytes = b""
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Begun:
    """What a begin found. `word`: begun, done, failed, pending or superseded."""

    word: str
    value: bytes = b""
    """Of done and failed: as it was kept."""
    earlier: str = ""
    """Of begun: the state in which an earlier holder left the mark: pending, failed or nothing."""
    left_ms: int = 0
    """Of pending: until the mark is free."""
    jid: str = ""
    attempt: int = 0
    """Of pending and superseded: the holder's."""


def begin(
    cluster: Cluster,
    mark: OnceMark,
    holder: Holder,
    *,
    pending_ms: int,
    ttl_ms: int,
    again: bool,
    deadline_s: float = 10.0,
    replicas: int = 0,
) -> Begun:
    """Begin, or hear why not; `again`: also where it has failed. Raises OutcomeUnknown, NodeDown..."""
    args = (*holder, pending_ms, ttl_ms, int(again))
    command = script("once_begin").command(mark.slot, (mark.mark,), args)
    word, rest = _read(cluster.run(command, deadline_s=deadline_s, replicas=replicas))
    match word:
        case "begun":
            return Begun(word, earlier=rest[0].decode())
        case "pending":
            jid, attempt = rest[1].decode("ascii", "replace"), rest[2]
            return Begun(word, left_ms=int(rest[0]), jid=jid, attempt=int(attempt))
        case "superseded":
            return Begun(word, attempt=int(rest[0]))
    return Begun(word, value=rest[0])


def end(
    cluster: Cluster,
    mark: OnceMark,
    holder: Holder,
    state: str,
    value: bytes,
    *,
    ttl_ms: int,
    deadline_s: float = 10.0,
    replicas: int = 0,
) -> bool:
    """Keep `value` as done or failed. False: another holder has begun since. Raises as begin."""
    command = script("once_end").command(mark.slot, (mark.mark,), (*holder, state, value, ttl_ms))
    return _read(cluster.run(command, deadline_s=deadline_s, replicas=replicas))[0] == "kept"


def forget(cluster: Cluster, mark: OnceMark, *, deadline_s: float = 10.0) -> bool:
    """Remove the mark, whatever it says; whether there was one."""
    return bool(cluster.run(Command(mark.slot, ("DEL", mark.mark)), deadline_s=deadline_s))


def _read(reply: Any) -> tuple[str, list[Any]]:
    if not isinstance(reply, list) or not reply or not isinstance(reply[0], bytes):
        raise ScriptFailed(f"A script of a once() mark answered {reply!r}, which is no reply of ours.")
    return reply[0].decode(), reply[1:]

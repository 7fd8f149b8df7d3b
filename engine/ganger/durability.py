"""What must have a write before a call returns: the three levels, and the word that stands for them in calls.

    fast        the primary has it
    replicated  so many replicas have it too (WAIT)
    fsynced     primary and replicas have it in their append-only files, on disk (WAITAOF: Redis 7.2, Valkey)

Every call that writes takes `replicas`, 0 for none; an OnDisk asks for the disks as well. The transport
(wire/trip.py) sends the question behind the write, on the same connection, and asks before and after whose
history it is. For in a cluster Valkey lets a WAIT go on when its primary is replaced, and answers it with yes
when that node is primary again and its new replica is in step, though the write is gone. No I/O here.
"""

import re
from typing import Any

from ganger.command import Word

LEVELS = ("fast", "replicated", "fsynced")
WAIT_S = 1.0
"""How long WAIT waits for the replicas."""
WAIT_ON_DISK_S = 4.0
"""The same for WAITAOF: with appendfsync everysec primary and replica write to disk once a second each, and
the replica tells of it within another."""


class OnDisk(int):
    """So many replicas, and on their disks and the primary's. Truthy for any number but 0."""


def replicas_of(level: str) -> int:
    """What a level asks for."""
    return {"fast": 0, "replicated": 1, "fsynced": OnDisk(1)}[level]


def patience_s(replicas: int) -> float:
    """How long the server waits for the answer."""
    if not replicas:
        return 0.0
    return WAIT_ON_DISK_S if isinstance(replicas, OnDisk) else WAIT_S


WHOSE: tuple[Word, ...] = ("INFO", "replication")
"""Each time that a node becomes primary its history gets another name."""
_PRIMARY = re.compile(rb"^role:master\r?$.*^master_replid:(\w+)", re.MULTILINE | re.DOTALL)


def broken(before: Any, after: Any) -> str:
    """Why an answer to a question is worth nothing, as shortfall; "" when the node that had the write was
    primary in one and the same history from before the write until after the answer."""
    names = [_PRIMARY.search(said) if isinstance(said, bytes) else None for said in (before, after)]
    if all(names) and len({name[1] for name in names if name}) == 1:
        return ""
    return "the node was not its primary all the time until replicas confirmed it"


def questions(replicas: int, wait_ms: int) -> list[tuple[Word, ...]]:
    """What is sent behind a write; the last answer counts. A replica that is asked answers at once, with what
    was on its disk before, and by itself once a second. So it is first asked whether it has the write: when
    that has been answered the write is on its disk, if it writes always, and WAITAOF need not wait a second.
    """
    if isinstance(replicas, OnDisk):
        first_ms = max(1, wait_ms // 4)
        return [("WAIT", int(replicas), first_ms), ("WAITAOF", 1, int(replicas), max(1, wait_ms - first_ms))]
    return [("WAIT", replicas, wait_ms)]


TRIAL: tuple[Word, ...] = ("WAITAOF", 1, 0, 1)
"""Can this node answer it, and does it have an append-only file? Waits for nothing where nothing was
written."""


def shortfall(replicas: int, answer: Any) -> str:
    """What is missing, as the rest of a sentence that begins with "but"; "" when nothing is."""
    if isinstance(replicas, OnDisk):
        if not isinstance(answer, list) or len(answer) != 2 or not all(isinstance(n, int) for n in answer):
            return f"whether it is on disk was answered with: {answer}"
        on_primary, on_replicas = answer
        if on_primary < 1:
            return "the primary has not confirmed in time that it is on disk"
        if on_replicas < replicas:
            return f"only {on_replicas} of {int(replicas)} replicas confirmed in time that it is on disk"
        return ""
    confirmed = answer if isinstance(answer, int) else 0
    return f"only {confirmed} of {replicas} replicas confirmed it in time" if confirmed < replicas else ""

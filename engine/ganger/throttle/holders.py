"""Who holds permits: what a server keeps of a holder, and what the servers say together. Asks nobody."""

import os
import socket
from collections.abc import Sequence
from typing import Any

import msgspec


class Holder(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who has a permit, for people to read and for a host to know its own by."""

    host: str
    process: str
    """An incarnation of a worker, or `pid 4711`."""
    jid: str = ""
    note: str = ""


def this_process(jid: str = "", note: str = "") -> Holder:
    """The holder that a process is which is no worker."""
    return Holder(socket.gethostname(), f"pid {os.getpid()}", jid, note)


class Seat(msgspec.Struct, frozen=True):
    """A permit as the servers know it."""

    seat: str
    token: str
    holder: Holder | None
    held_ms: int
    left_ms: int
    """Until it is free if nobody renews it."""
    votes: int
    revoked: bool


def seats_of(replies: Sequence[Sequence[Any]]) -> list[Seat]:
    """What inspect's replies say together: one row a token and seat."""
    found: dict[tuple[str, str], Seat] = {}
    for reply in replies:
        now_ms = int(reply[1])
        for seat, until, record, revoked in zip(*(iter(reply[2:]),) * 4, strict=True):
            token, since, who = bytes(record).split(b"|", 2)
            held, left = now_ms - int(since), int(until) - now_ms
            key = (seat.decode(), token.decode())
            known = found.get(key)
            if known is None:
                known = Seat(*key, _holder(who), held, left, 0, False)
            found[key] = Seat(
                *key,
                known.holder,
                max(known.held_ms, held),
                max(known.left_ms, left),
                known.votes + 1,
                known.revoked or bool(revoked),
            )
    return sorted(found.values(), key=lambda seat: -seat.held_ms)


def _holder(who: bytes) -> Holder | None:
    try:
        return msgspec.json.decode(who, type=Holder)
    except msgspec.MsgspecError:
        return None

"""What an error reply means for the caller. Pure: a table and the backoff, no I/O, no clock.

Every reply classified as anything but FATAL says that the command was not run: a server checks all of these
before it starts a script. So a repetition is safe, whatever the command.
"""

import random
import re
from dataclasses import dataclass
from enum import Enum

from ganger.errors import (
    ClusterUnavailable,
    GangerError,
    NotACluster,
    ScriptFailed,
    ServerBusy,
    ServerFull,
    WriteRefused,
    WrongPassword,
)


class Advice(Enum):
    """What to do with a command that got an error reply."""

    MOVED = "send it to the node named, remember that for the slot, read the map anew"
    ASK = "send it to the node named this once, after ASKING"
    SOURCE = "send it once more with the script's source"
    WAIT = "the node can't now: wait and repeat"
    REFRESH = "the node can't now and may not be the slot's primary any more: read the map, wait, repeat"
    FATAL = "no repetition will help"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Advice, and the error to raise when it can't be followed (any more)."""

    advice: Advice
    error: type[GangerError]
    target: str = ""
    """host:port of a MOVED or ASK."""


_BY_CODE = {
    "NOSCRIPT": Verdict(Advice.SOURCE, ScriptFailed),
    "TRYAGAIN": Verdict(Advice.WAIT, ClusterUnavailable),
    "CLUSTERDOWN": Verdict(Advice.REFRESH, ClusterUnavailable),
    "LOADING": Verdict(Advice.REFRESH, ClusterUnavailable),
    "MASTERDOWN": Verdict(Advice.REFRESH, ClusterUnavailable),
    "READONLY": Verdict(Advice.REFRESH, WriteRefused),
    "BUSY": Verdict(Advice.WAIT, ServerBusy),
    "OOM": Verdict(Advice.WAIT, ServerFull),
    "NOREPLICAS": Verdict(Advice.WAIT, WriteRefused),
    "MISCONF": Verdict(Advice.WAIT, WriteRefused),
    # Some node had let us in, or there would be no map: passwords are being changed, and ours will do again.
    "NOAUTH": Verdict(Advice.WAIT, WrongPassword),
    "WRONGPASS": Verdict(Advice.WAIT, WrongPassword),
}
_BY_TEXT = (
    ("ERR max number of clients", Verdict(Advice.WAIT, ClusterUnavailable)),
    ("ERR AUTH", Verdict(Advice.WAIT, WrongPassword)),
    ("ERR This instance has cluster support disabled", Verdict(Advice.FATAL, NotACluster)),
)
_FATAL = Verdict(Advice.FATAL, ScriptFailed)
_ADDRESS = re.compile(r"[^\s\0]*:[0-9]{1,4}|[^\s\0]*:[1-5][0-9]{4}|[^\s\0]*:6[0-5][0-9]{3}")


def classify(text: str) -> Verdict:
    """The verdict on an error reply (its text without the leading minus)."""
    code, _, rest = text.partition(" ")
    target = rest.partition(" ")[2]
    if code in ("MOVED", "ASK") and _ADDRESS.fullmatch(target):
        return Verdict(Advice[code], ClusterUnavailable, target)
    known = _BY_CODE.get(code)
    if known is not None:
        return known
    return next((verdict for start, verdict in _BY_TEXT if text.startswith(start)), _FATAL)


FIRST_PAUSE_S = 0.004
LONGEST_PAUSE_S = 0.4


def pause_s(attempt: int, rng: random.Random) -> float:
    """How long to wait before attempt number `attempt` (1 = the first repetition).

    Doubled each time, and jittered over its upper half so that many callers don't come back together.
    """
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempt - 1, 10))
    return longest * (0.5 + rng.random() / 2)


def explain(kind: type[GangerError], title: str, place: str, text: str) -> GangerError:
    """The error of a command that was refused for good, or until its deadline."""
    if kind is ClusterUnavailable:
        return kind(f"Redis Cluster could not serve {title} in time ({place} answered: {text}); try again.")
    if kind is ServerFull:
        return kind(
            f"Redis node {place} is full, {title} was refused: raise maxmemory, or drain queues ({text})."
        )
    if kind is ServerBusy:
        return kind(f"Redis node {place} is busy with a long script, {title} was refused ({text}).")
    if kind is WriteRefused:
        return kind(
            f"Redis node {place} refuses writes, {title} was not run: see its replicas and disk ({text})."
        )
    if kind is WrongPassword:
        return kind(f"Redis node {place} refuses our user name or password: check GANGER_REDIS ({text}).")
    if kind is NotACluster:
        return kind(f"Redis at {place} does not run in cluster mode: set cluster-enabled yes.")
    return kind(f"{title} failed on Redis node {place}: {text}")

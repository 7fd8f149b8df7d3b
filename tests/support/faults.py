"""What may befall a command on its way, and what a command is called. For fault_proxy.py and its users."""

from enum import Enum
from functools import cache

from ganger.scripts import script
from support.sources import scripts

_GREETINGS = {b"AUTH", b"HELLO", b"CLUSTER", b"PING", b"INFO", b"CLIENT", b"SELECT"}
_WHOSE = [b"INFO", b"REPLICATION"]


class Fault(Enum):
    """What befalls a command. After a cut its connection is gone; silent ones leave it open."""

    REQUEST_CUT = "the request never arrives, and the connection is cut"
    REPLY_CUT = "it is executed, then the connection is cut"
    HALF_REPLY = "it is executed, half of the reply arrives, then the connection is cut"
    CUT_AFTER = "its reply arrives, then the connection is cut"
    SLOW_REPLY = "its reply takes 30 ms"
    REQUEST_LOST = "the request never arrives, nor anything else on this connection"
    REPLY_LOST = "it is executed, and no reply arrives, nor anything else on this connection"
    REQUEST_LATE = "the request is held up, with all behind it, until `deliver`"

    @property
    def silent(self) -> bool:
        """Whether the caller hears nothing, until its patience ends."""
        return self in (Fault.REQUEST_LOST, Fault.REPLY_LOST, Fault.REQUEST_LATE)


@cache
def names() -> dict[bytes, str]:
    """What a call of a script says in place of its name -> the name."""
    found: dict[bytes, str] = {}
    for path in scripts():
        made = script(path.stem)
        found |= {made.sha.encode(): made.name, made.source: made.name}
    return found


def asks_whose(words: list[bytes]) -> bool:
    return [word.upper() for word in words] == _WHOSE


def is_greeting(words: list[bytes]) -> bool:
    """Whether it is not counted: how many of these come depends on which connections there were. The question
    whose history a node writes belongs to the write that it stands around (ganger/durability.py)."""
    return words[0].upper() in _GREETINGS and not asks_whose(words)


def title(words: list[bytes]) -> str:
    """A script's name, or the command itself."""
    if words[0].upper() in (b"EVALSHA", b"EVAL"):
        return names().get(words[1], "a script of others")
    said = words[:2] if asks_whose(words) else words[:1]
    return b" ".join(said).decode("ascii", "replace").upper()

"""Limits on queues that were set at runtime: one hash of the control slot, name -> JSON, whole rules.

They come before what a host's own configuration says of the same name; every coordinator reads them each
second. What a limit may say is checked by who sets it; one that can't be read is passed over."""

import contextlib

import msgspec

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.keys import Control, check_name

_MAX_NAME = 64


class SetLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A limit as somebody set it. `off`: there is none of this name, whatever a configuration says."""

    queue: str = ""
    """Or a `type`: what it holds for."""
    concurrency: int = 0
    """0, and "" for the others: it does not say."""
    on_lost: str = "end"
    type: str = ""
    rate: str = ""
    burst: int = 0
    limit_key: str = ""
    off: bool = False


def put(cluster: Cluster, control: Control, name: str, limit: SetLimit, *, deadline_s: float = 2.0) -> None:
    """From now on, for all hosts. Raises BadName."""
    check_name("limit", name, _MAX_NAME)
    words = ("HSET", control.limits, name, msgspec.json.encode(limit))
    cluster.run(Command(control.slot, words), deadline_s=deadline_s)


def forget(cluster: Cluster, control: Control, name: str, *, deadline_s: float = 2.0) -> bool:
    """What hosts' configurations say counts again; False when nothing was set. Raises BadName."""
    check_name("limit", name, _MAX_NAME)
    return bool(cluster.run(Command(control.slot, ("HDEL", control.limits, name)), deadline_s=deadline_s))


def read(cluster: Cluster, control: Control, *, deadline_s: float = 2.0) -> dict[str, SetLimit]:
    """All that were set, by name."""
    flat = cluster.run(Command(control.slot, ("HGETALL", control.limits)), deadline_s=deadline_s)
    found: dict[str, SetLimit] = {}
    for word, value in zip(flat[::2], flat[1::2], strict=True):
        name = word.decode("utf-8", "replace")
        with contextlib.suppress(msgspec.MsgspecError):
            found[name] = msgspec.json.decode(value, type=SetLimit)
    return found

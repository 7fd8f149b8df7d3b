"""Nodes and what CLUSTER SLOTS and redirections say about them. Pure: no I/O."""

from dataclasses import dataclass
from typing import Any

from ganger.slots import SLOTS


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """The address of a server, as the cluster announces it."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Slots first..last and the primary that serves them."""

    first: int
    last: int
    primary: Node


def read_slots(reply: Any, asked: Node) -> list[Stretch]:
    """The stretches in a CLUSTER SLOTS reply; an empty or unknown host means the node that was asked.

    Raises ValueError for a reply of another form.
    """
    try:
        return [_stretch(row, asked) for row in reply]
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise ValueError(f"CLUSTER SLOTS answered in an unknown form ({error})") from None


def _stretch(row: Any, asked: Node) -> Stretch:
    first, last = int(row[0]), int(row[1])
    if not 0 <= first <= last < SLOTS:
        raise ValueError(f"there are no slots {first} to {last}")
    return Stretch(first, last, _announced(row[2], asked))


def _announced(entry: Any, asked: Node) -> Node:
    host, port = entry[0].decode() if entry[0] else "", int(entry[1])
    if not 0 < port < 65536 or "\0" in host:
        raise ValueError(f"there is no port {port}")
    return Node(asked.host if host in ("", "?") else host, port)


def read_address(text: str, asked: Node) -> Node:
    """The `host:port` of a MOVED or ASK; the host is empty when the node does not know its own address.

    Raises ValueError.
    """
    host, _, port = text.rpartition(":")
    return Node(host.removeprefix("[").removesuffix("]") or asked.host, int(port))

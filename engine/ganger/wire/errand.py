"""What is under way on a trip: a command with its history, and a pipeline on one link. No decisions here."""

from ganger.command import Command
from ganger.errors import GangerError, NodeDown, OutcomeUnknown
from ganger.wire.link import Link
from ganger.wire.node import Node
from ganger.wire.peer import Peer
from ganger.wire.replies import explain


class Item:
    """One command on its way."""

    __slots__ = ("ask", "attempt", "command", "due_s", "index", "kind", "maybe", "place", "probe", "why")

    def __init__(self, index: int, command: Command) -> None:
        self.index = index
        self.command = command
        self.attempt = 0
        self.maybe = False
        """May an attempt have run without our hearing of it?"""
        self.probe = False
        """Was it the one that tried a node known to be down, and found it so?"""
        self.due_s = 0.0
        self.ask: Node | None = None
        self.kind: type[GangerError] = NodeDown
        self.place = ""
        self.why = ""

    def verdict(self) -> GangerError:
        """The error of a command whose time is up."""
        title, reads = self.command.title(), self.command.only_reads()
        if self.maybe and reads:
            return OutcomeUnknown(f"Redis node {self.place} does not answer ({self.why}): try again.")
        if self.kind is NodeDown and reads:
            return NodeDown(f"Redis node {self.place} can't be reached ({self.why}): try again.")
        if self.maybe:
            why = f"{title} was sent to {self.place} but not answered ({self.why}): it may have run."
            return OutcomeUnknown(why)
        if self.kind is NodeDown:
            why = f"Redis node {self.place} can't be reached ({self.why}); {title} was not run: try again."
            return NodeDown(why)
        return explain(self.kind, title, self.place, self.why)


class Exchange:
    """A pipeline under way on one link. `shape` has None where a reply is to no command of a caller's: to
    ASKING, and to the questions of durability.py."""

    __slots__ = ("link", "peer", "shape", "started_s")

    def __init__(self, link: Link, peer: Peer, shape: list[Item | None], started_s: float) -> None:
        self.link = link
        self.peer = peer
        self.shape = shape
        self.started_s = started_s

    def items(self) -> list[Item]:
        """The commands on it."""
        return [item for item in self.shape if item is not None]

"""What does harm in a chaos run: the form that every nemesis has, and what it is given to do it with.

run.py strikes with them at random and keeps the record of it; what they harm is built by world.py and
servers.py. A module of nemeses/ offers a function `nemeses(stage)` that answers its list.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class NotNow(Exception):
    """The world is in no state for it, as another nemesis is at it or was: the reason, which is counted."""


class Lacking(NotNow):
    """It can't be done at all: the machine does not offer what it takes."""


class Nemesis(Protocol):
    """One kind of harm. A strike may block for some seconds; run.py has several threads strike at once, but
    each nemesis one strike at a time."""

    name: str
    """As the report prints it, such as "kill a primary"."""
    every_s: float
    """About how often, on average."""
    branches: frozenset[str]
    """The rare branches it aims at (see branches.py); a run that struck and never took them fails."""

    def strike(self, rng: random.Random) -> None:
        """Do harm; return when it is done or over. Raises NotNow when it can't be done."""

    def heal(self) -> None:
        """Everything that this nemesis broke is whole afterwards, whatever state it is in; as often as you
        like."""


Note = Callable[..., None]
"""`note(what, **detail)`: a line in the record of the run, with the instant. Say there which host, node, slot
or process was struck, as soon as it was: the checker explains duplicates by it."""


@dataclass
class Stage:
    """What there is to be harmed."""

    cluster: Any
    """servers.py: the cluster that holds the jobs."""
    semaphores: Any
    """servers.py: the standalone servers that hold the limits."""
    hosts: Sequence[Any]
    """world.py: the hosts with their masters."""
    producers: Sequence[Any]
    """world.py: the processes that push."""
    note: Note
    network: Any = None
    """network.py: the lines between the hosts (by their places in `hosts`) and the servers."""

"""The kinds of jobs of a chaos run: their names, queues, and what must become of each. Plain data.

app.py has a handler for each, producer.py pushes them, checker.py holds what became of them against this.
"""

from dataclasses import dataclass
from typing import Literal

NAMESPACE = "ganger"
HOSTS = ("north", "south")
PARTITIONS = 12
BULK, ODD, DUE, NARROW, KEPT = "bulk", "odd", "due", "narrow", "kept"
QUEUES = (BULK, ODD, DUE, NARROW, KEPT)
CONCURRENCY = 3
"""How many jobs of the narrow queue may run at once."""
LONG_LIFE_MS = 600_000
"""Whoever has so long to live does not expire."""
AFTER_S = 0.3
"""Between a failure and its retry."""

Fate = Literal["done", "dead", "exhausted", "done or expired", "done or cancelled"]


@dataclass(frozen=True, slots=True)
class Kind:
    """`code` is the letter that stands for it in the journals."""

    code: str
    name: str
    queue: str
    fate: Fate
    retry: int = 25
    bulky: bool = False
    """Hundreds a second: what is noted of each must stay small."""


KINDS = (
    Kind("n", "noop", BULK, "done", bulky=True),
    Kind("w", "works", BULK, "done", bulky=True),
    Kind("f", "flaky", ODD, "done"),
    Kind("q", "lingers", ODD, "done"),
    Kind("g", "segfaults", ODD, "done"),
    Kind("t", "too_slow", ODD, "done"),
    Kind("h", "hangs", ODD, "done"),
    Kind("x", "hopeless", ODD, "exhausted", retry=1),
    Kind("k", "doomed", ODD, "dead", retry=1),
    Kind("m", "member", ODD, "done"),
    Kind("s", "all_succeeded", ODD, "done"),
    Kind("p", "all_ended", ODD, "done"),
    Kind("d", "delayed", DUE, "done"),
    Kind("e", "expires", DUE, "done or expired"),
    Kind("c", "unwanted", DUE, "done or cancelled"),
    Kind("u", "single", DUE, "done"),
    Kind("i", "ticks", DUE, "done"),
    Kind("l", "narrow", NARROW, "done"),
    Kind("r", "kept", KEPT, "done"),
)
BY_CODE = {kind.code: kind for kind in KINDS}
BY_NAME = {kind.name: kind for kind in KINDS}
UNPUSHED = frozenset("isp")
"""Kinds whose jobs no producer names beforehand: ticks and callbacks."""

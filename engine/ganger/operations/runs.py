"""Runs: what an operator has set going over a queue's past, and how far it came. Kept in the control slot.

A record is only a note for people and for who goes on with a run: what moves jobs never reads it. It changes
by compare-and-set on the run's state, so that a driver which writes late can't make an undone run look alive.
"""

import secrets
from typing import Literal

import msgspec

from ganger.calls import parse_time, time_command
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.jid import ALPHABET, encode
from ganger.keys import Control
from ganger.scripts import script

Kind = Literal["rewind", "replay", "skip"]
RunState = Literal["running", "stopped", "finished", "undoing", "undone"]
MAX_RUNS = 1000
"""Records that are kept, of all queues together."""


class Run(msgspec.Struct, kw_only=True):
    """One order over a queue's past, and what became of it. Instants by the nodes' clocks."""

    run: str
    kind: Kind
    queue: str
    from_ms: int = 0
    to_ms: int = 0
    type: str = ""
    """Empty: all types."""
    hows: list[str] = []
    into: str = ""
    """The queue that gets copies; empty: the jobs themselves run again in their own."""
    rate: float = 0.0
    """Jobs a second; 0: as fast as it goes."""
    created_ms: int = 0
    heard_ms: int = 0
    """When its driver last wrote."""
    state: RunState = "running"
    planned: int = 0
    moved: dict[int, int] = {}
    """Jobs by partition: replayed, copied or skipped."""
    undone: dict[int, int] = {}
    missing: dict[int, str] = {}
    """Partitions that could not be finished, and why not."""


def name(now_ms: int) -> str:
    """A new run's: its time and three random digits. It stands in the labels of jobs."""
    return encode(now_ms, 9) + "".join(secrets.choice(ALPHABET) for _ in range(3))


def now_ms(cluster: Cluster, control: Control, *, deadline_s: float = 5.0) -> int:
    """The clock of the node that has the control slot."""
    return parse_time(cluster.run(time_command(control.slot), deadline_s=deadline_s))


def record(
    cluster: Cluster, control: Control, run: Run, expected: tuple[str, ...], *, deadline_s: float = 5.0
) -> RunState | None:
    """Write it down if its state is one of `expected` ("new": not known yet). None when it is written, or
    else the state that it is in."""
    text = run.state.encode() + b" " + msgspec.json.encode(run)
    args = (run.run, f" {' '.join(expected)} ", text, MAX_RUNS)
    reply = cluster.run(
        script("record_run").command(control.slot, (control.runs,), args), deadline_s=deadline_s
    )
    if reply[0] == b"recorded":
        return None
    before = _read(reply[1])
    return before.state if before else "undone"


def runs(cluster: Cluster, control: Control, *, deadline_s: float = 5.0) -> list[Run]:
    """All that are known, newest first."""
    flat = cluster.run(Command(control.slot, ("HGETALL", control.runs)), deadline_s=deadline_s)
    found = [_read(value) for _, value in sorted(zip(flat[::2], flat[1::2], strict=True), reverse=True)]
    return [run for run in found if run is not None]


def find(cluster: Cluster, control: Control, run: str, *, deadline_s: float = 5.0) -> Run | None:
    value = cluster.run(Command(control.slot, ("HGET", control.runs, run)), deadline_s=deadline_s)
    return _read(value) if value else None


def _read(value: bytes) -> Run | None:
    try:
        return msgspec.json.decode(value.partition(b" ")[2], type=Run)
    except msgspec.DecodeError:
        return None
